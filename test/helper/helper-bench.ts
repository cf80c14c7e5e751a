import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import { silentLog } from '../../src/base/log.ts';
import { askHelper } from '../../src/helper/client.ts';
import { Helper } from '../../src/helper/helper.ts';
import { HelperServer } from '../../src/helper/server.ts';
import type { HelperRequest, NetworkSettings } from '../../src/helper/verbs.ts';
import { temporaryDirectory } from '../fixtures/data-directory.ts';

export const fixed: NetworkSettings = {
  card: 'eth0',
  dhcp: false,
  addresses: ['10.4.1.9/24'],
  gateway: '10.4.1.1',
  dnsServers: ['10.4.0.53'],
  timeServers: ['ntp.north.example'],
};

/** A helper on a machine of its own: a folder for its files, and programs that note how they were called. */
export async function helperBench({ confirmMs = 60_000 }: { confirmMs?: number } = {}) {
  const folder = temporaryDirectory();
  const root = join(folder.path, 'root');
  const path = (name: string): string => join(folder.path, name);
  const file = (name: string): string | null =>
    existsSync(join(root, name)) ? readFileSync(join(root, name), 'utf8') : null;
  const put = (name: string, text: string): void => {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), text);
  };
  mkdirSync(path('bin'));
  mkdirSync(root);
  const calls = path('calls');
  writeFileSync(calls, '');
  /** @param script of a shell, after the call was noted */
  const program = (name: string, script = 'exit 0'): void => {
    writeFileSync(path(`bin/${name}`), `#!/bin/sh\necho "${name} $*" >> ${calls}\n${script}\n`);
    chmodSync(path(`bin/${name}`), 0o700);
  };
  program('systemctl', 'case "$*" in *chrony*) exit 3;; esac');
  program('networkctl', 'test "$1" = list && echo " 2 eth0 ether routable configured"; exit 0');
  for (const name of ['timedatectl', 'rauc', 'chronyc']) program(name);
  const before = process.env['PATH'];
  process.env['PATH'] = `${path('bin')}:${before}`;
  const options = {
    root,
    stateDirectory: path('state'),
    logDirectory: path('log'),
    updatesDirectory: path('updates'),
    confirmMs,
    log: silentLog,
  };
  const socketPath = path('helper.sock');
  const start = async () => {
    const helper = new Helper(options);
    const reverted = await helper.revertLeftOver();
    const server = new HelperServer(helper, silentLog, null);
    await server.start({ path: socketPath });
    return { helper, server, reverted };
  };
  let running = await start();
  onTestFinished(async () => {
    await running.server.stop();
    await running.helper.stop();
    process.env['PATH'] = before;
    folder[Symbol.dispose]();
  });
  return {
    path,
    file,
    put,
    program,
    socketPath,
    helper: (): Helper => running.helper,
    ask: (request: HelperRequest) => askHelper({ by: 'kim', request }, { socketPath }),
    called: (): string[] =>
      readFileSync(calls, 'utf8')
        .split('\n')
        .filter((line) => line !== '' && !line.includes('is-active')),
    audit: () =>
      readFileSync(path('log/audit.log'), 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as { by: string; outcome: string; request: HelperRequest }),
    /** As after a power cut: the one that ran says nothing more. */
    startAnew: async (): Promise<boolean> => {
      await running.server.stop();
      running = await start();
      return running.reverted;
    },
  };
}
