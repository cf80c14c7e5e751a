import { type ChildProcess, spawn } from 'node:child_process';
import { createPrivateKey, createPublicKey } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { compactVerify } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { StatusReport } from '../../src/health/status.ts';
import { type TemporaryDirectory, temporaryDirectory } from '../fixtures/data-directory.ts';
import { ctSlice, type MadeInstance, newUid } from '../fixtures/dicom-objects.ts';
import { type GatewayProcess, startGateway } from '../fixtures/gateway-process.ts';
import { openKeystore } from '../fixtures/independent-decryptor.ts';
import { program } from '../fixtures/program.ts';
import { flipBit, storedObjects } from '../fixtures/stored-objects.ts';
import { queueEntries } from './fates.ts';
import { gantry, type ProgramRun, patienceMs } from './peers.ts';
import { storeAll } from './store-all.ts';

/** `gantry sandbox-archive` as a process of its own. */
class Sandbox {
  #child: ChildProcess | null = null;
  #port = '0';
  url = '';

  async start(directory: string): Promise<void> {
    const [command, ...before] = program();
    const args = [...before, 'sandbox-archive', '--data', directory, '--port', this.#port];
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#child = child;
    for await (const line of createInterface({ input: child.stdout })) {
      if (!line.includes('"event":"ready"')) continue;
      this.url = (JSON.parse(line) as { url: string }).url;
      this.#port = new URL(this.url).port;
      return;
    }
    throw new Error('the sandbox archive did not start');
  }

  async stop(): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (child === null || child.exitCode !== null) return;
    child.kill('SIGTERM');
    await once(child, 'exit');
  }
}

/** One story, told in order: what the commands do to a gateway that runs, then to the same one stopped. */
describe('the commands', { timeout: patienceMs }, () => {
  const sandbox = new Sandbox();
  const study = { studyUID: newUid(), seriesUID: newUid() };
  const slices = [1, 2, 3].map((seed) => ctSlice({ rows: 32, columns: 32, seed, ...study }));
  const twins = [11, 12].map((seed) =>
    slice(seed, { ...study, instanceUID: slices[0]?.SOPInstanceUID ?? '' }),
  );
  const late = [21, 22, 23, 24].map((seed) => slice(seed));
  let directory: TemporaryDirectory;
  let data = '';
  let gateway: GatewayProcess;

  const startAgain = async (): Promise<void> => {
    gateway = await startGateway(data, {
      modalities: { ct1: { aeTitle: 'CT1', settleSeconds: 1 } },
      destinations: { cloud: { type: 'stow', url: sandbox.url, verify: 'wado-digest' } },
    });
  };
  const run = (...args: string[]): Promise<ProgramRun> => gantry(...args, '--data', data);
  const ok = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await run(...args);
    expect(code, `${args.join(' ')}: ${stderr}`).toBe(0);
    return stdout;
  };
  const queued = (...options: string[]) => queueEntries(data, ...options);

  beforeAll(async () => {
    directory = temporaryDirectory();
    data = join(directory.path, 'data');
    await sandbox.start(join(directory.path, 'archive'));
    await startAgain();
    await store(gateway.dicomPort, slices);
    await gateway.until(({ totals }) => totals.verified === 3);
    await store(gateway.dicomPort, twins);
    await gateway.until(({ totals }) => totals.conflicts === 2);
  });
  afterAll(async () => {
    await gateway?.kill();
    await sandbox.stop();
    directory?.[Symbol.dispose]();
  });

  test('status: in words, and whole as JSON', async () => {
    const report = JSON.parse(await ok('status', '--json')) as StatusReport;
    expect(report.totals).toMatchObject({ received: 5, verified: 3, conflicts: 2 });
    expect(report.verdict).toBe('degraded');
    const words = await ok('status');
    expect(words).toContain('DEGRADED: 2 images arrived under an identity that is already taken');
    expect(words).toContain('Next step: Call IT');
    expect(words).toContain(
      'Totals: 5 received, 3 delivered, 3 verified; parked: 0 held, 0 quarantined, 2 in conflict.',
    );
    expect(words).toMatch(/cloud\s+│ connected .*│ 20\d\d-\d\d-\d\dT/);
  });

  test('queue resolve: one conflict is discarded, the other goes on and stays one at the archive', async () => {
    const [first, second, ...more] = await queued('--state', 'conflict');
    expect(more).toEqual([]);
    expect(first?.reason?.code).toBe('CONFLICT_HERE');
    expect(await ok('queue', 'resolve', first?.objectId ?? '', 'discard')).toBe('1 resolved.\n');
    expect(storedObjects(data)).toHaveLength(4);

    const wrong = await run('queue', 'resolve', second?.objectId ?? '', 'perhaps');
    expect(wrong.code).toBe(2);
    expect(wrong.stderr).toContain('"forward" or "discard"');
    expect(await ok('queue', 'resolve', second?.objectId ?? '', 'forward')).toBe('1 resolved.\n');
    // The archive keeps what it had: it holds other bytes, and says so.
    await gateway.until(({ destinations }) => destinations['cloud']?.conflict === 1);
    const [parked] = await queued('--state', 'conflict');
    expect(parked?.objectId).toBe(second?.objectId);
    expect(parked?.reason?.code).not.toBe('CONFLICT_HERE');
  });

  test('receipts ls and show: signed by this box, and true', async () => {
    const listed = await untilListed(() => ok('receipts', 'ls'), /│ ([0-9a-f]{32}) /);
    const shown = JSON.parse(await ok('receipts', 'show', listed)) as {
      jws: string;
      content: { StudyInstanceUID: string; instances: { SOPInstanceUID: string; deliveries: object[] }[] };
    };
    const { signingKey } = openKeystore(data).json as unknown as { signingKey: string };
    const privateKey = createPrivateKey({
      key: Buffer.from(signingKey, 'base64'),
      format: 'der',
      type: 'pkcs8',
    });
    const { payload } = await compactVerify(shown.jws, createPublicKey(privateKey));
    expect(JSON.parse(Buffer.from(payload).toString())).toEqual(shown.content);
    const own = shown.content.instances.find(
      ({ SOPInstanceUID }) => SOPInstanceUID === slices[1]?.SOPInstanceUID,
    );
    expect(own?.deliveries).toMatchObject([
      { destination: 'cloud', state: 'verified', provenBy: 'digest', reasonCode: null },
    ]);

    const unknown = await run('receipts', 'show', '0'.repeat(32));
    expect(unknown.code).toBe(1);
    expect(unknown.stderr).toContain('RECEIPT_NOT_FOUND');
  });

  test('queue ls, retry and discard while the archive is away', async () => {
    await sandbox.stop();
    await store(gateway.dicomPort, late);
    await gateway.until(({ queue, destinations }) => {
      return queue.instances === late.length && destinations['cloud']?.state === 'down';
    });
    const table = await ok('queue', 'ls', '--state', 'queued');
    expect(table.match(/│ queued /g)).toHaveLength(late.length);
    expect(table).toContain('ct1');
    expect(await queued('--state', 'queued', '--limit', '2')).toHaveLength(2);
    expect(await queued('--destination', 'nowhere')).toEqual([]);

    // The line's probe may have one of them out just then: that one is not touched, and said not to be.
    await untilListed(() => ok('queue', 'retry', '--all'), /^([4-9]) changed\.\n$/);
    const unsaid = await run('queue', 'discard');
    expect(unsaid.code).toBe(2);
    expect(unsaid.stderr).toContain('Say which');
    const before = storedObjects(data).length;
    const doomed = (await queued('--state', 'queued'))[0]?.objectId ?? '';
    await untilListed(() => ok('queue', 'discard', doomed), /^(1) changed\.\n$/);
    expect(storedObjects(data)).toHaveLength(before - 1);
    // Discarded is not "seen before": the same image comes in again.
    await store(gateway.dicomPort, late.slice(0, 1));
    expect(storedObjects(data)).toHaveLength(before);
  });

  test('scrub, and what needs the gateway stopped', async () => {
    expect(await ok('scrub')).toMatch(/^8 objects, \d+\.\d+ MB, read in \d+(\.\d+)? s\.\n$/);
    const rebuild = await run('rebuild-ledger');
    expect(rebuild.code).toBe(2);
    expect(rebuild.stderr).toContain('DATA_LOCKED');
  });

  test('stopped: status says so, the queue is still there', async () => {
    expect(await gateway.stop()).toBe(0);
    const { code, stderr } = await run('status');
    expect(code).toBe(1);
    expect(stderr).toContain('No gateway is running on this data directory.');
    expect(await queued('--state', 'queued')).toHaveLength(4);
    expect(await ok('queue', 'retry', '--state', 'queued')).toBe('4 changed.\n');
    expect(await ok('receipts', 'ls')).toMatch(/│ [0-9a-f]{32} /);
  });

  test('stopped: scrub finds a damaged object, and it is held', async () => {
    const object = storedObjects(data).at(-1);
    const damaged = object?.id ?? '';
    flipBit(object, (object?.sealed.length ?? 0) >> 1);

    const { code, stdout } = await run('scrub');
    expect(code).toBe(1);
    expect(stdout).toContain(`damaged: ${damaged}\n`);
    const [held] = await queued('--state', 'held');
    expect(held).toMatchObject({ objectId: damaged, reason: { code: 'OBJECT_DAMAGED' } });
    const named = await run('queue', 'release', damaged);
    expect(named.code).toBe(1);
    expect(named.stderr).toContain('OBJECT_DAMAGED: This object cannot be sent.');
    expect(named.stderr).toContain('is damaged and is not sent. Send it again from its modality.');
    // It cannot be sent, and must not count as whole: the image would be lost when its modality sends it again.
    await ok('queue', 'release', '--state', 'held');
    expect(await queued('--state', 'held')).toEqual([held]);
  });

  test('the image of a damaged object is taken in again', async () => {
    await startAgain();
    const before = storedObjects(data).length;
    await store(gateway.dicomPort, late);
    expect(storedObjects(data)).toHaveLength(before + 1);
    expect(await gateway.stop()).toBe(0);
  });

  test('stopped: the ledger is rebuilt from the objects, and all of it is proven again', async () => {
    const rebuilt = await ok('rebuild-ledger');
    expect(rebuilt).toMatch(/^Rebuilt: 9 instances, \d to be proven at the archive again\.\n$/);
    await sandbox.start(join(directory.path, 'archive'));
    await startAgain();
    const { totals } = await gateway.until(({ queue }) => queue.instances === 0);
    // Three slices, four late ones; one damaged, one that the archive has other bytes for.
    expect(totals).toMatchObject({ received: 9, verified: 7, held: 1, conflicts: 1 });
    expect(await ok('queue', 'discard', '--state', 'held')).toBe('1 changed.\n');
    expect(await gateway.stop()).toBe(0);
    const again = await run('scrub');
    expect(again.code, again.stdout).toBe(0);
  });
});

function slice(
  seed: number,
  over: { studyUID?: string; seriesUID?: string; instanceUID?: string } = {},
): MadeInstance {
  return ctSlice({ rows: 32, columns: 32, seed, ...over });
}

/** Sends as CT1; fails unless every answer is 0000. */
async function store(port: number, instances: readonly MadeInstance[]): Promise<void> {
  expect(await storeAll(port, instances)).toEqual({ 0: instances.length });
}

/** Runs a listing until it has what is looked for. */
async function untilListed(list: () => Promise<string>, pattern: RegExp): Promise<string> {
  for (;;) {
    const found = pattern.exec(await list())?.[1];
    if (found !== undefined) return found;
  }
}
