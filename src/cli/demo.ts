import { silentLog } from '../base/log.ts';
import { runDemo } from '../demo/demo.ts';
import type { DemoPorts } from '../demo/ports.ts';
import { SandboxArchive } from '../demo/sandbox-archive.ts';
import { Gateway } from '../gateway.ts';

/** Starts real parts for the demo: the gateway on a data directory of its own, the sandbox archive beside it. */
const ports: DemoPorts = {
  startArchive: async (directory) => {
    const archive = new SandboxArchive({ dataDir: directory, host: '127.0.0.1', port: 0, log: silentLog });
    const { url } = await archive.start();
    return { url, onStored: (listener) => archive.onStored(listener), stop: () => archive.stop() };
  },
  startGateway: async (directory, archiveUrl) => {
    const gateway = await Gateway.start({
      dataDirectory: directory,
      configText: JSON.stringify(demoConfig(archiveUrl)),
      log: silentLog,
    });
    return {
      dicomPort: gateway.ports.dicom,
      webPort: gateway.ports.web,
      aeTitle: gateway.aeTitle,
      status: () => gateway.status(),
      stop: () => gateway.stop(),
    };
  },
};

function demoConfig(archiveUrl: string): object {
  return {
    site: { name: 'Demo', timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone },
    intake: { host: '127.0.0.1', port: 0, unknownCallers: 'accept' },
    modalities: { phantom: { aeTitle: 'PHANTOM', settleSeconds: 2 } },
    spool: { reserveBytes: 100_000_000, preparedBytes: 0 },
    destinations: { sandbox: { type: 'stow', url: archiveUrl, verify: 'wado-digest' } },
    web: { host: '127.0.0.1', port: 0 },
  };
}

/** @returns the exit code */
export function demo({ once = false }: { once?: boolean }): Promise<number> {
  return runDemo(ports, { once });
}
