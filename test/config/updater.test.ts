import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { nodeDisk } from '../../src/base/disk.ts';
import { GantryError } from '../../src/base/errors.ts';
import { createLog } from '../../src/base/log.ts';
import { downloadBundle } from '../../src/config/remote/bundle-download.ts';
import { Updater, type UpdaterOptions } from '../../src/config/remote/updater.ts';
import { parseConfig, type UpdateConfig } from '../../src/config/schema.ts';
import { type TemporaryDirectory, temporaryDirectory } from '../fixtures/data-directory.ts';
import { ManualClock } from '../fixtures/manual-clock.ts';
import { until } from '../fixtures/until.ts';

const bundle = randomBytes(300_000);
const sha256 = createHash('sha256').update(bundle).digest('hex');
const log = createLog('silent', { write: () => {} });

let data: TemporaryDirectory;
let server: Server;
let port: number;
/** What the server was asked for: the range, or null for the whole. */
let asked: (string | null)[];
/** The connection breaks after so many bytes, once. */
let breakAfter: number | null;
let served: Buffer;

beforeEach(async () => {
  data = temporaryDirectory();
  asked = [];
  breakAfter = null;
  served = bundle;
  server = createServer((request, response) => {
    const { range = null } = request.headers;
    asked.push(range);
    const from = Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0);
    const rest = served.subarray(from);
    response.writeHead(from > 0 ? 206 : 200, {
      'content-length': rest.length,
      ...(from > 0 && { 'content-range': `bytes ${from}-${served.length - 1}/${served.length}` }),
    });
    if (breakAfter === null) {
      response.end(rest);
    } else {
      response.write(rest.subarray(0, breakAfter), () => setTimeout(() => response.destroy(), 50));
      breakAfter = null;
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  port = (server.address() as { port: number }).port;
});

afterEach(() => {
  server.close();
  data[Symbol.dispose]();
});

function settings(changed: Partial<UpdateConfig> = {}): UpdateConfig {
  const update = { version: '2.0.0', url: `http://127.0.0.1:${port}/two.raucb`, sha256, windows: [] };
  const destinations = { archive: { type: 'stow', url: 'https://archive.example/studies' } };
  const parsed = parseConfig({ destinations, update: { ...update, ...changed } });
  if (!parsed.ok || parsed.config.update === null) throw new Error(JSON.stringify(parsed));
  return parsed.config.update;
}

/** As the appliance writes it at each start. */
function systemSays(version: string, last: object | null = null): void {
  mkdirSync(join(data.path, 'updates'), { recursive: true });
  writeFileSync(join(data.path, 'updates', 'system.json'), JSON.stringify({ version, slot: 'A', last }));
}

/** A box: what it did is in `did`. */
class Box {
  readonly clock = new ManualClock();
  readonly did: string[] = [];
  load = { associations: 0, waiting: 0 };
  open = true;
  installFails: GantryError | null = null;
  updater: Updater | null = null;

  start(update: UpdateConfig | null, changed: Partial<UpdaterOptions> = {}): Updater {
    const outward = {
      connect: async () => {
        const socket = connect(port, '127.0.0.1');
        await once(socket, 'connect');
        return socket;
      },
    };
    this.updater = new Updater({
      update,
      dataDirectory: data.path,
      disk: nodeDisk,
      clock: this.clock,
      log,
      download: (one) => downloadBundle({ ...one, outward, disk: nodeDisk }),
      install: async (name, digest) => {
        if (this.installFails !== null) throw this.installFails;
        const bytes = readFileSync(join(data.path, 'updates', name));
        expect(createHash('sha256').update(bytes).digest('hex')).toBe(digest);
        this.did.push('install');
      },
      reboot: async () => void this.did.push('reboot'),
      inWindow: () => this.open,
      load: async () => this.load,
      ...changed,
    });
    this.updater.start();
    return this.updater;
  }
}

test('an announced version is fetched, installed and started, and counts once the system runs it', async () => {
  systemSays('1.0.0');
  const box = new Box();
  const first = box.start(settings());
  await until(() => box.did.includes('reboot'));
  expect(box.did).toEqual(['install', 'reboot']);
  await first.stop();

  systemSays('2.0.0', { outcome: 'good', words: 'The new version is in use.', at: '2026-01-02T10:05:00Z' });
  const second = box.start(settings());
  await until(() => second.report().phase === 'in-use');
  await second.stop();
  expect(second.report()).toEqual({ wanted: '2.0.0', running: '2.0.0', phase: 'in-use', failure: null });
  expect(box.did).toEqual(['install', 'reboot']);
  expect(readdirSync(join(data.path, 'updates')).filter((name) => name.endsWith('.raucb'))).toEqual([]);
});

test('a version that fell back is reported with its reason and not tried again; another one is', async () => {
  const fromBefore = { outcome: 'fell-back', words: 'An older story.', at: '2026-01-01T00:00:00Z' };
  systemSays('1.0.0', fromBefore);
  const box = new Box();
  const first = box.start(settings());
  await until(() => box.did.includes('reboot'));
  await first.stop();

  const words = 'The new version did not start well; this is the version from before.';
  systemSays('1.0.0', {
    outcome: 'fell-back',
    words,
    at: '2026-01-02T10:05:00Z',
    reason: 'the gateway does not run',
  });
  const second = box.start(settings());
  await until(() => second.report().phase === 'failed');
  await second.stop();
  expect(second.report().failure).toMatchObject({
    code: 'UPDATE_FELL_BACK',
    words: `${words} (the gateway does not run)`,
  });

  const third = box.start(settings());
  await until(() => third.report().phase === 'failed');
  await third.stop();
  expect(box.did).toEqual(['install', 'reboot']);

  served = randomBytes(1000);
  const other = settings({ version: '2.0.1', sha256: createHash('sha256').update(served).digest('hex') });
  const fourth = box.start(other);
  await until(() => box.did.length === 4);
  await fourth.stop();
});

test('what was fetched before the line broke is not fetched again', async () => {
  systemSays('1.0.0');
  const box = new Box();
  breakAfter = 100_000;
  const first = box.start(settings());
  await until(() => first.report().failure !== null);
  expect(first.report().failure?.code).toMatch(/^REMOTE_/);
  await first.stop();
  expect(box.did).toEqual([]);
  const second = box.start(settings());
  await until(() => box.did.includes('install'));
  await second.stop();
  expect(asked).toEqual([null, 'bytes=100000-']);
});

test('other bytes than announced are never installed', async () => {
  systemSays('1.0.0');
  served = Buffer.from(bundle);
  served[1000] = (served[1000] ?? 0) ^ 1;
  const box = new Box();
  const updater = box.start(settings());
  await until(() => updater.report().failure !== null);
  await updater.stop();
  expect(updater.report().failure?.code).toBe('UPDATE_DIGEST');
  expect(box.did).toEqual([]);
  expect(readdirSync(join(data.path, 'updates')).filter((name) => name.includes('.raucb'))).toEqual([]);
});

test('outside of the window it is fetched and waits', async () => {
  systemSays('1.0.0');
  const box = new Box();
  box.open = false;
  const updater = box.start(settings());
  await until(() => updater.report().phase === 'waiting');
  await updater.stop();
  expect(box.did).toEqual([]);
  expect(asked).toEqual([null]);
});

test('who is sending may finish, and what waits is waited for only while it gets less', async () => {
  systemSays('1.0.0');
  const box = new Box();
  box.load = { associations: 1, waiting: 5 };
  const updater = box.start(settings());
  await until(() => updater.report().phase === 'draining');
  expect(box.did).toEqual(['install']);
  box.load = { associations: 0, waiting: 4 };
  // The archive is away: the same four wait for more than a minute.
  await until(() => {
    box.clock.advance(20_000);
    return box.did.includes('reboot');
  });
  await updater.stop();
});

test('an installation that is refused three times is given up', async () => {
  systemSays('1.0.0');
  const box = new Box();
  box.installFails = new GantryError({
    code: 'HELPER_PROGRAM',
    kind: 'permanent',
    message: 'rauc failed.',
    nextStep: '',
  });
  for (const phase of ['waiting', 'waiting', 'failed']) {
    const updater = box.start(settings());
    await until(() => updater.report().failure !== null);
    expect(updater.report().phase).toBe(phase);
    await updater.stop();
  }
  box.installFails = null;
  const updater = box.start(settings());
  await until(() => updater.report().phase === 'failed');
  await updater.stop();
  expect(box.did).toEqual([]);
});

test('where no appliance runs, nothing is fetched', async () => {
  const box = new Box();
  const updater = box.start(settings());
  await until(() => updater.report().phase === 'unsupported');
  await updater.stop();
  expect(asked).toEqual([]);
});
