import type { Tools } from '../../src/web/tools.ts';
import { existsSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'vite';
import { systemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import type { StatusReport } from '../../src/health/status.ts';
import type { PageRenderer } from '../../src/web/page.ts';
import { WebServer, type WebServerOptions } from '../../src/web/server.ts';
import type { StatusSource } from '../../src/web/status-feed.ts';

const webUi = new URL('../../web-ui/', import.meta.url);

/** The folder of the built page; where it was not built, one made for this test process. */
export async function builtPage(): Promise<URL> {
  const dist = new URL('dist/', webUi);
  if (existsSync(new URL('server/server.js', dist)) && existsSync(new URL('client/manifest.json', dist)))
    return dist;
  const folder = await mkdtemp(join(tmpdir(), 'gantry-page-'));
  for (const ssr of [false, true]) {
    const outDir = join(folder, ssr ? 'server' : 'client');
    await build({ root: fileURLToPath(webUi), logLevel: 'error', build: { ssr, outDir } });
  }
  return pathToFileURL(`${folder}/`);
}

/** A status that the test sets. */
export class SettableStatus implements StatusSource {
  readonly #listeners = new Set<() => void>();
  report: StatusReport;
  failing = false;

  constructor(report: StatusReport) {
    this.report = report;
  }

  current(): StatusReport {
    if (this.failing) throw new Error('the ledger is gone');
    return this.report;
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  set(change: Partial<StatusReport>): void {
    this.report = { ...this.report, ...change };
    for (const listener of this.#listeners) listener();
  }
}

export const noPage: PageRenderer = { render: () => '<!doctype html>', assets: new Map() };

export function createWebServer(options: Partial<WebServerOptions> & { status: StatusSource }): WebServer {
  return new WebServer({
    host: '127.0.0.1',
    port: 0,
    intakeHost: '127.0.0.1',
    log: silentLog,
    clock: systemClock,
    metrics: () =>
      Promise.resolve({ contentType: 'text/plain; version=0.0.4', text: 'gantry_build_info 1\n' }),
    page: noPage,
    readiness: () => ({ ready: true }),
    ...options,
  });
}

function notAsked(): never {
  throw new Error('nobody asks for this here');
}

/** For servers whose tools nobody uses in the test. */
export const noTools: Pick<Tools, 'bundle' | 'destinations' | 'config'> = {
  bundle: { contents: notAsked, pack: notAsked },
  destinations: { pause: notAsked, resume: notAsked, testLine: notAsked, sendTestStudy: notAsked },
  config: {
    show: notAsked,
    history: notAsked,
    apply: notAsked,
    confirm: notAsked,
    rollback: notAsked,
    retry: notAsked,
    applyWaiting: notAsked,
    release: notAsked,
    confirmSeconds: { min: 30, max: 3600 },
  },
};

/** What the control socket needs beside its operator and status. */
export const noConsole = {
  tools: noTools,
  auth: { reset: () => Promise.resolve(''), makeCode: () => '' },
  enrol: {
    request: () => Promise.resolve({ file: '', code: '', device: '' }),
    accept: () => Promise.resolve({ fleet: '', hasWay: true }),
  },
  audit: () => Promise.resolve(),
  selfCheck: notAsked,
};
