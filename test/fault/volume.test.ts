import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { GantryError } from '../../src/base/errors.ts';
import { DimseSender, type StoreResponse } from '../../src/demo/dimse-sender.ts';
import { temporaryDirectory } from '../fixtures/data-directory.ts';
import { ctSlice, type MadeInstance, newUid } from '../fixtures/dicom-objects.ts';
import { type GatewayProcess, startGateway } from '../fixtures/gateway-process.ts';
import { unfinishedObjects } from '../fixtures/stored-objects.ts';
import { ArchiveProcess } from './archive-process.ts';
import { notice } from './campaign.ts';
import { Oracle, safe, spotless } from './oracle.ts';
import { canMake, loopVolume, memoryVolume } from './volumes.ts';

const megabyte = 1024 * 1024;
const patienceMs = 120_000;

const cleanUp: (() => Promise<unknown> | void)[] = [];
afterEach(async () => {
  for (const undo of cleanUp.splice(0).toReversed()) await undo();
});

/** A home directory, an archive that is not running yet, and an oracle. */
async function stage(): Promise<{ home: string; archive: ArchiveProcess; oracle: Oracle }> {
  const home = temporaryDirectory();
  cleanUp.push(() => home[Symbol.dispose]());
  const archive = new ArchiveProcess(join(home.path, 'archive'));
  await archive.start();
  cleanUp.push(() => archive.kill());
  await archive.kill();
  return { home: home.path, archive, oracle: new Oracle() };
}

async function startOn(dataDirectory: string, archive: ArchiveProcess, spool: object = {}) {
  const gateway = await startGateway(dataDirectory, {
    spool,
    destinations: { cloud: { type: 'stow', url: archive.url } },
  });
  cleanUp.push(() => gateway.kill());
  return gateway;
}

const study = newUid();
/** About half a megabyte. */
const slice = (): MadeInstance =>
  ctSlice({ rows: 512, columns: 512, seed: 1, studyUID: study, seriesUID: `${study}.1` });
const smallSlice = (): MadeInstance =>
  ctSlice({ rows: 16, columns: 16, seed: 1, studyUID: study, seriesUID: `${study}.1` });

function connect(gateway: GatewayProcess): Promise<DimseSender> {
  const { SOPClassUID, TransferSyntaxUID } = smallSlice();
  return DimseSender.connect({
    host: '127.0.0.1',
    port: gateway.dicomPort,
    callingAeTitle: 'CT1',
    calledAeTitle: 'GANTRY',
    contexts: [{ SOPClassUID, transferSyntaxes: [TransferSyntaxUID] }],
    timeoutMs: 20_000,
  });
}

async function store(sender: DimseSender, made: MadeInstance, oracle: Oracle): Promise<StoreResponse> {
  oracle.offered(made);
  const response = await sender.store(made);
  if (response.status === 0) oracle.acknowledged(made);
  return response;
}

/** Stores over one association until something else than 0000 is answered. */
async function storeUntilRefused(gateway: GatewayProcess, oracle: Oracle, objectsMax: number) {
  const sender = await connect(gateway);
  for (let n = 0; n < objectsMax; n += 1) {
    const made = slice();
    const response = await store(sender, made, oracle);
    if (response.status === 0) continue;
    await sender.release();
    return { made, response };
  }
  throw new Error('never refused');
}

/** What an association is answered: null where it is accepted. */
async function rejection(gateway: GatewayProcess): Promise<GantryError | null> {
  try {
    await (await connect(gateway)).release();
    return null;
  } catch (error) {
    if (error instanceof GantryError) return error;
    throw error;
  }
}

/** PS3.8 table 9-21: transient (2), by the service provider, presentation (3), temporary congestion (1). */
const temporaryCongestion = {
  code: 'DIMSE_REJECTED',
  kind: 'transient',
  message: expect.stringContaining('result 2, source 3') as string,
};

/** Everything arrives at the archive once it is up, and the oracle has nothing to say. */
async function expectAllDelivered(gateway: GatewayProcess, archive: ArchiveProcess, oracle: Oracle) {
  if (!archive.isRunning) await archive.start();
  await gateway.until((status) => oracle.isAllSent(status), 90_000);
  const { dataDirectory } = gateway;
  expect(unfinishedObjects(dataDirectory)).toEqual([]);
  expect(await gateway.stop()).toBe(0);
  const places = { dataDirectory, archiveDirectory: archive.directory };
  expect(await oracle.judge(places)).toEqual(spotless);
}

describe.skipIf(!canMake('memory', 'A full disk'))('the disk fills up', () => {
  it(
    'A700, then no association, before it is full; goes on by itself when there is room',
    async () => {
      const { home, archive, oracle } = await stage();
      const volume = memoryVolume(join(home, 'disk'), 96);
      cleanUp.push(() => volume[Symbol.dispose]());
      const ballast = join(volume.path, 'ballast');
      writeFileSync(ballast, Buffer.alloc(40 * megabyte));
      const gateway = await startOn(join(volume.path, 'data'), archive, { reserveBytes: 20 * megabyte });

      const refused = await storeUntilRefused(gateway, oracle, 200);
      expect(refused.response.status).toBe(0xa700);
      expect(refused.response.errorComment).toMatch(/disk/i);
      const { bavail, bsize } = statfsSync(volume.path);
      expect(bavail * bsize).toBeGreaterThan(10 * megabyte);
      expect(await rejection(gateway)).toMatchObject(temporaryCongestion);
      const full = await gateway.status();
      expect(full.intake).toMatchObject({ open: false, reason: { code: 'SPOOL_DISK_FULL' } });
      expect(full.disk.state).toBe('full');

      rmSync(ballast);
      await gateway.until(({ intake }) => intake.open, 10_000);
      const sender = await connect(gateway);
      expect(await store(sender, refused.made, oracle)).toMatchObject({ status: 0 });
      await sender.release();
      await expectAllDelivered(gateway, archive, oracle);
    },
    patienceMs,
  );

  it(
    'to the last byte by something else: refuses, survives a kill, and loses nothing',
    async () => {
      const { home, archive, oracle } = await stage();
      const volume = memoryVolume(join(home, 'disk'), 64);
      cleanUp.push(() => volume[Symbol.dispose]());
      const ballast = join(volume.path, 'ballast');
      const dataDirectory = join(volume.path, 'data');
      const spool = { reserveBytes: 5 * megabyte };
      const gateway = await startOn(dataDirectory, archive, spool);
      const sender = await connect(gateway);
      for (let n = 0; n < 10; n += 1)
        expect(await store(sender, slice(), oracle)).toMatchObject({ status: 0 });
      fillUp(ballast);
      // Refused at once by the write that finds no room, not only after the next look at the volume.
      const made = slice();
      expect(await store(sender, made, oracle)).toMatchObject({ status: 0xa700 });
      await sender.release();
      await gateway.until(({ intake }) => !intake.open, 10_000);
      await gateway.kill();
      // With no room at all it may not come up; it must not make things worse.
      const second = await Promise.race([
        startOn(dataDirectory, archive, spool).catch((error: unknown) => String(error)),
        delay(20_000, 'neither ready nor ended'),
      ]);
      if (typeof second === 'string') expect(second).toMatch(/ended with [12]/);
      rmSync(ballast);
      const third = typeof second === 'string' ? await startOn(dataDirectory, archive, spool) : second;
      await third.until(({ intake }) => intake.open, 10_000);
      const again = await connect(third);
      expect(await store(again, made, oracle)).toMatchObject({ status: 0 });
      await again.release();
      await expectAllDelivered(third, archive, oracle);
    },
    patienceMs,
  );
});

/** Writes until there is no room for one byte more. */
function fillUp(path: string): void {
  const { status, stderr } = spawnSync('dd', ['if=/dev/zero', `of=${path}`, 'bs=64k'], { encoding: 'utf8' });
  if (status !== 1 || !stderr.includes('No space left')) throw new Error(`not full: ${stderr}`);
}

describe.skipIf(!canMake('loop', 'A vanishing spool volume'))('the spool volume', () => {
  it(
    'vanishes and comes back: refused meanwhile, nothing is lost, work goes on',
    async () => {
      const { home, archive, oracle } = await stage();
      const dataDirectory = join(home, 'data');
      const volume = loopVolume(join(dataDirectory, 'spool'), 256);
      cleanUp.push(() => volume[Symbol.dispose]());
      const gateway = await startOn(dataDirectory, archive);
      const sender = await connect(gateway);
      for (let n = 0; n < 10; n += 1)
        expect(await store(sender, slice(), oracle)).toMatchObject({ status: 0 });

      volume.vanish();
      const made = slice();
      expect(await store(sender, made, oracle)).toMatchObject({ status: 0xa700 });
      await sender.release();
      // Forwarding can reach the archive now and finds nothing to read: it must not take that for lost.
      await archive.start();
      const missing = await gateway.until(({ disk }) => disk.state === 'missing', 10_000);
      expect(missing.intake).toMatchObject({ open: false, reason: { code: 'SPOOL_VOLUME_MISSING' } });
      expect(await rejection(gateway)).toMatchObject(temporaryCongestion);
      expect(missing.totals).toMatchObject({ held: 0, quarantined: 0 });

      volume.mount();
      await gateway.until(({ intake }) => intake.open, 20_000);
      const again = await connect(gateway);
      expect(await store(again, made, oracle)).toMatchObject({ status: 0 });
      expect(await store(again, slice(), oracle)).toMatchObject({ status: 0 });
      await again.release();
      await expectAllDelivered(gateway, archive, oracle);
    },
    patienceMs,
  );
});

const straceWorks = spawnSync('strace', ['-o', '/dev/null', 'true']).status === 0;
if (!straceWorks) notice('A failing fsync of the real process', 'strace is missing or may not trace here');

/** Every such call of the process fails with EIO for as long as this is not stopped. */
async function failing(call: 'fdatasync' | 'fsync', pid: number): Promise<{ stop: () => Promise<void> }> {
  const strace: ChildProcess = spawn(
    'strace',
    ['-f', '-p', String(pid), '-e', `trace=${call}`, '-e', `inject=${call}:error=EIO`, '-o', '/dev/null'],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  const exited = once(strace, 'exit');
  const stop = async (): Promise<void> => {
    strace.kill('SIGTERM');
    await exited;
  };
  cleanUp.push(stop);
  // It says "attached"; what it says later has to be read too, or it ends.
  await new Promise<void>((resolve) => {
    strace.stderr?.on('data', (said: Buffer) => {
      if (said.includes('attached')) resolve();
    });
  });
  return { stop };
}

describe.skipIf(!straceWorks)('the disk fails to keep what was written', () => {
  it.each(['fdatasync', 'fsync'] as const)(
    '%s answers EIO: A700 and no intake until it passes a test, without a restart',
    async (call) => {
      const { home, archive, oracle } = await stage();
      const gateway = await startOn(join(home, 'data'), archive);
      const { pid } = gateway.process;
      if (pid === undefined) throw new Error('no process');
      const sender = await connect(gateway);
      const places = { dataDirectory: gateway.dataDirectory, archiveDirectory: null };
      // Directories are synced only where a new segment is made: by the first object.
      if (call === 'fdatasync')
        expect(await store(sender, smallSlice(), oracle)).toMatchObject({ status: 0 });

      const fault = await failing(call, pid);
      const made = slice();
      expect(await store(sender, made, oracle)).toMatchObject({ status: 0xa700 });
      const suspect = await gateway.status();
      expect(suspect.disk.state).toBe('suspect');
      expect(suspect.intake).toMatchObject({ open: false, reason: { code: 'SPOOL_SUSPECT' } });
      expect(await store(sender, made, oracle)).toMatchObject({ status: 0xa700 });
      await sender.release();
      expect(await rejection(gateway)).toMatchObject(temporaryCongestion);
      expect(await oracle.judge(places)).toMatchObject(safe);
      expect(unfinishedObjects(gateway.dataDirectory)).toEqual([]);

      await fault.stop();
      await gateway.until(({ intake }) => intake.open, 20_000);
      const again = await connect(gateway);
      expect(await store(again, made, oracle)).toMatchObject({ status: 0 });
      await again.release();
      await expectAllDelivered(gateway, archive, oracle);
    },
    patienceMs,
  );
});
