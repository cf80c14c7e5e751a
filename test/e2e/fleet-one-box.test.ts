import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { nodeDisk } from '../../src/base/disk.ts';
import { silentLog } from '../../src/base/log.ts';
import { okpJwk } from '../../src/crypto/jws.ts';
import { Keyring } from '../../src/crypto/keyring.ts';
import { SandboxArchive } from '../../src/demo/sandbox-archive.ts';
import { type CommandState, orderCommands } from '../../src/fleet/commands.ts';
import type { AuditEntry } from '../../src/web/audit-log.ts';
import { ctSlice } from '../fixtures/dicom-objects.ts';
import { signed, signingKey } from '../fixtures/fleet-kit.ts';
import { listenMinimalScp, type MinimalScp } from '../fixtures/minimal-scp.ts';
import { until } from '../fixtures/until.ts';
import { type OneBoxFleet, ok, oneBoxFleet } from './one-box-fleet.ts';
import { gantry, patienceMs, present } from './peers.ts';
import { storeAll } from './store-all.ts';

const ready = present('test/e2e/fleet-one-box.test.ts', 'Mosquitto', 'nginx');
const [first, second, wrong] = ['swordfish-first-41', 'swordfish-second-97', 'swordfish-wrong-13'];

/** How a text shows in bytes: as it is, in hex, and in base64 at each of its three offsets. */
function tracesOf(text: string): string[] {
  const base64 = [0, 1, 2].map((offset) => {
    const encoded = Buffer.from(`${'x'.repeat(offset)}${text}`).toString('base64url');
    return encoded.slice(4, -4);
  });
  return [text, Buffer.from(text).toString('hex'), ...base64];
}

const traces = [first, second, wrong].flatMap(tracesOf);

function tracesIn(bytes: Buffer | string): string[] {
  const text = typeof bytes === 'string' ? bytes : bytes.toString('latin1');
  return traces.filter((trace) => text.includes(trace));
}

/** Files below a folder in which a secret can be read. */
function leaksIn(folder: string, apart: readonly string[] = []): string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true }).flatMap((entry) => {
    const path = join(entry.parentPath, entry.name);
    if (!entry.isFile() || apart.some((one) => path.startsWith(one))) return [];
    return tracesIn(readFileSync(path)).length > 0 ? [path] : [];
  });
}

describe.skipIf(!ready)('one box of a fleet', () => {
  const archives: { token: string } = { token: first };
  let fleet: OneBoxFleet;
  let modality: MinimalScp;
  let archive: SandboxArchive;
  let cloud: object;
  let unlock: string[];
  let sent = 0;

  beforeAll(async () => {
    modality = await listenMinimalScp({
      onStore: () => ({ write: () => undefined, end: () => Promise.resolve(0) }),
    });
    fleet = await oneBoxFleet({ cloud: { type: 'stow', url: 'http://127.0.0.1:9/studies' } });
    archive = new SandboxArchive({
      dataDir: fleet.at('archive'),
      host: '127.0.0.1',
      port: 0,
      log: silentLog,
      get bearerToken() {
        return archives.token;
      },
    });
    const { url } = await archive.start();
    cloud = { type: 'stow', url, auth: { type: 'bearer', tokenFile: 'secret:archive-token' } };
    const identity = await generateX25519Identity();
    mkdirSync(fleet.at('desk'));
    writeFileSync(fleet.at('desk/age-key'), `${identity}\n`);
    unlock = ['--identity', fleet.at('desk/age-key')];
    const init = ['fleet', 'secrets', 'init', '--dir', fleet.at('fleet')];
    await ok([...init, '--recipient', await identityToRecipient(identity)]);
  }, patienceMs);

  afterAll(async () => {
    await fleet?.[Symbol.asyncDispose]();
    await archive?.stop();
    await modality?.close();
  });

  async function give(value: string): Promise<number> {
    const dir = ['--dir', fleet.at('fleet')];
    await ok(['fleet', 'secrets', 'set', 'archive-token', ...dir, ...unlock], value);
    return fleet.push(wanted(), ...unlock);
  }

  function wanted(): object {
    return {
      destinations: { cloud },
      modalities: { ct1: { aeTitle: 'CT1', host: '127.0.0.1', port: modality.port } },
      remote: { commands: ['echo', 'support-bundle'] },
    };
  }

  /** Gives the box a command over one way. @returns what `command show` says of it once the box has answered */
  async function command(verb: string, ...options: string[]): Promise<CommandState> {
    const where = ['--dir', fleet.at('fleet'), '--out', fleet.at('out'), '--key', fleet.at('it.key')];
    await ok(['fleet', 'command', verb, fleet.id, ...where, ...options]);
    let state: CommandState | undefined;
    await until(async () => {
      await fleet.reported(() => true);
      const shown = await ok([
        'fleet',
        'command',
        'show',
        fleet.at('reports'),
        '--out',
        fleet.at('out'),
        '--json',
      ]);
      [state] = (JSON.parse(shown) as { commands: CommandState[] }).commands;
      return state !== undefined && state.state !== 'waiting';
    }, 60_000);
    if (state === undefined) throw new Error('no command');
    return state;
  }

  /** An image sent now is proven to be in the archive. */
  async function anImageArrives(): Promise<void> {
    sent += 1;
    expect(await storeAll(fleet.gateway.dicomPort, [ctSlice({ rows: 32, columns: 32, seed: sent })])).toEqual(
      { 0: 1 },
    );
    await fleet.gateway.until(({ totals }) => totals.verified === sent);
  }

  async function applied(generation: number): Promise<void> {
    await fleet.gateway.until(({ config }) => config.central?.generation === generation);
    await fleet.gateway.until(({ config }) => config.central?.phase === 'idle');
  }

  test(
    'signs in with it, also after a restart; then a new value reaches it',
    async () => {
      await applied(await give(first));
      await anImageArrives();
      await fleet.restart();
      await anImageArrives();
      archives.token = second;
      await applied(await give(second));
      await anImageArrives();
    },
    patienceMs,
  );

  test(
    'a value that the archive refuses is refused by the box, which goes on with the one it has',
    async () => {
      const generation = await give(wrong);
      const { config } = await fleet.reported(
        (report) => report.config.observedGeneration === generation && report.config.error !== null,
      );
      expect(config).toMatchObject({
        phase: 'Rejected',
        appliedGeneration: generation - 1,
        error: { code: 'APPLY_DESTINATION', path: '/destinations/cloud' },
      });
      await anImageArrives();
    },
    patienceMs,
  );

  test(
    'sealed to another key it is refused by code and path',
    async () => {
      const path = fleet.at(`fleet/devices/${fleet.id}.json`);
      const before = readFileSync(path, 'utf8');
      const device = JSON.parse(before) as { keys: object };
      const stranger = okpJwk(generateKeyPairSync('x25519').publicKey);
      writeFileSync(path, JSON.stringify({ ...device, keys: { ...device.keys, seal: stranger } }));
      const generation = await give(second);
      writeFileSync(path, before);
      const { config } = await fleet.reported((report) => report.config.observedGeneration === generation);
      expect(
        (await fleet.reported(({ config: { phase } }) => phase === 'Rejected')).config.error,
      ).toMatchObject({ code: 'FLEET_SECRET_UNREADABLE', path: '/destinations/cloud/auth/tokenFile' });
      expect(config.appliedGeneration).toBeLessThan(generation);
      await anImageArrives();
    },
    patienceMs,
  );

  test(
    'a command over any way is carried out once where the box allows it; the answer comes back in its report',
    async () => {
      const toRecord = ['--to', fleet.recordFolder];
      expect(await command('echo', '--modality', 'ct1', ...toRecord)).toMatchObject({ state: 'done' });
      expect(await command('echo', '--modality', 'ct9', ...toRecord)).toMatchObject({
        state: 'failed',
        code: 'MODALITY_UNKNOWN',
      });
      const signIn = fleet.toBroker.map((option) => (option === '--key' ? '--cert-key' : option));
      expect(await command('retry', ...signIn)).toMatchObject({ state: 'failed', code: 'FLEET_COMMAND_OFF' });
      const made = await command('support-bundle', '--usb', fleet.at('.'));
      expect(made).toMatchObject({ state: 'done', text: expect.stringContaining('support-bundle.tar.gz') });
      const bundle = readFileSync(join(fleet.gateway.dataDirectory, 'support-bundle.tar.gz'));
      expect(gunzipSync(bundle).includes('status.json')).toBe(true);
    },
    patienceMs,
  );

  test(
    'one that has expired, or is signed by a stranger, is refused and reported',
    async () => {
      const order = {
        directory: fleet.at('fleet'),
        out: fleet.at('out'),
        devices: [fleet.id],
        verb: 'echo',
        target: 'ct1',
        validMinutes: 60,
      } as const;
      const key = createPrivateKey(readFileSync(fleet.at('it.key')));
      await orderCommands({ ...order, key, now: new Date(Date.now() - 2 * 3_600_000) });
      await ok(['fleet', 'publish', fleet.at('out'), '--to', fleet.recordFolder]);
      const refusedWith = (code: string) =>
        fleet.reported(({ refused }) => refused.some((one) => one.code === code));
      await refusedWith('FLEET_EXPIRED');
      const { commands } = await orderCommands({ ...order, key, now: new Date() });
      const forged = await signed('gantry-command', commands[0], signingKey());
      writeFileSync(fleet.at(`out/${fleet.id}.command.jws`), JSON.stringify(forged));
      await ok(['fleet', 'publish', fleet.at('out'), ...fleet.toBroker]);
      const { commands: answers } = await refusedWith('FLEET_SIGNATURE');
      expect(answers.map(({ id }) => id)).not.toContain(commands[0]?.id);
    },
    patienceMs,
  );

  test(
    'no value can be read on any way to the box, on either disk, in a log or in what the box says of itself',
    async () => {
      expect(tracesIn(Buffer.from(`{"secret":"${first}"}`).toString('base64url'))).not.toEqual([]);
      expect(leaksIn(fleet.at('.'), [fleet.at('archive')])).toEqual([]);
      for (const [place, bytes] of await fleet.published()) expect(tracesIn(bytes), place).toEqual([]);
      const published = JSON.parse(readFileSync(fleet.at(`out/${fleet.id}.jws`), 'utf8')) as {
        payload: string;
      };
      const payload = Buffer.from(published.payload, 'base64url').toString();
      expect(payload).toContain('"archive-token":"ey');
      expect(tracesIn(payload)).toEqual([]);
      const { gateway } = fleet;
      expect(tracesIn(gateway.lines.join('\n'))).toEqual([]);
      expect(tracesIn(JSON.stringify(await gateway.status()))).toEqual([]);
      const data = ['--data', gateway.dataDirectory];
      const shown = await gantry('config', 'show', ...data);
      expect(shown.stdout).toContain('secret:archive-token');
      expect(tracesIn(shown.stdout)).toEqual([]);
      await ok(['support-bundle', '--output', fleet.at('bundle.tar.gz'), ...data]);
      const bundle = gunzipSync(readFileSync(fleet.at('bundle.tar.gz')));
      expect(bundle.toString('latin1')).toContain('secret:archive-token');
      expect(bundle.toString('latin1')).not.toContain('eyJhbGciOiJFQ0RILUVT');
      expect(tracesIn(bundle)).toEqual([]);
    },
    patienceMs,
  );

  test(
    'starts and signs in while nothing of central IT is there',
    async () => {
      await fleet.endCentral();
      await fleet.restart();
      await anImageArrives();
    },
    patienceMs,
  );

  test(
    'each command that was given, refused or expired is in the audit log of the box',
    async () => {
      await fleet.gateway.stop();
      const entries = await auditEntries(fleet.gateway.dataDirectory);
      const given = entries.filter(({ event }) => event === 'FLEET_COMMAND');
      expect(given.map(({ actor, subject, code }) => [actor, subject?.replace(/ \S+$/, ''), code])).toEqual([
        ['acme', 'echo ct1', null],
        ['acme', 'echo ct9', 'MODALITY_UNKNOWN'],
        ['acme', 'retry', 'FLEET_COMMAND_OFF'],
        ['acme', 'support-bundle', null],
        ['acme', 'echo ct1', 'FLEET_EXPIRED'],
        [null, undefined, 'FLEET_SIGNATURE'],
      ]);
      expect(new Set(given.map(({ address }) => address))).toEqual(new Set(['central']));
    },
    patienceMs,
  );
});

/** What stands in the sealed audit log of a box that has stopped. */
async function auditEntries(dataDirectory: string): Promise<AuditEntry[]> {
  const directory = join(dataDirectory, 'keys');
  const clock = systemClock;
  const keyring = await Keyring.open({ disk: nodeDisk, directory, clock, log: silentLog, mayCreate: false });
  const folder = join(dataDirectory, 'audit');
  const files = readdirSync(folder).filter((name) => /^\d{8}$/.test(name));
  return files.toSorted().flatMap((name) => {
    const plain = keyring.openFile(`audit-${name}`, readFileSync(join(folder, name)));
    return JSON.parse(plain.toString()) as AuditEntry[];
  });
}
