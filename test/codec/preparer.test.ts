import { describe, expect, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { createLog } from '../../src/base/log.ts';
import { CompressionDecider, type CompressionMode } from '../../src/codec/decider.ts';
import { codecNames, codecSyntaxes } from '../../src/codec/frame-format.ts';
import { CodecPool, type FrameCodec } from '../../src/codec/lossless.ts';
import { Preparer } from '../../src/codec/preparer.ts';
import { restore } from '../../src/codec/restore.ts';
import { CodecTally } from '../../src/codec/savings.ts';
import type { ObjectId } from '../../src/spool/types.ts';
import { ctSlice, type MadeInstance, srDocument, usMultiframe } from '../fixtures/dicom-objects.ts';
import { gather } from './codec-fixtures.ts';
import { CodecSpool } from './codec-spool.ts';

const image = { Rows: 64, Columns: 64, BitsAllocated: 16, NumberOfFrames: 1 };
const slice = (seed = 1): MadeInstance => ctSlice({ rows: 64, columns: 64, seed });
const slowLine = () => 1_000_000;

interface Bench extends AsyncDisposable {
  readonly spool: CodecSpool;
  readonly pool: CodecPool;
  readonly tally: CodecTally;
  readonly decider: CompressionDecider;
  readonly preparer: Preparer;
  readonly lines: string[];
}

interface BenchOptions {
  readonly mode?: CompressionMode;
  readonly goodput?: () => number | null;
  readonly engine?: (pool: CodecPool) => FrameCodec;
}

function bench({ mode = 'auto', goodput = slowLine, engine = (pool) => pool }: BenchOptions = {}): Bench {
  const spool = new CodecSpool();
  const pool = new CodecPool({ workersMax: 1, idleMs: 60_000, threadFailed: () => undefined });
  const tally = new CodecTally();
  const decider = new CompressionDecider({ mode, workers: 1 });
  const lines: string[] = [];
  const log = createLog('info', { write: (line) => lines.push(line) });
  const preparer = new Preparer({
    spool,
    engine: engine(pool),
    decider,
    tally,
    codecs: codecNames,
    goodput,
    clock: systemClock,
    log,
  });
  return {
    spool,
    pool,
    tally,
    decider,
    preparer,
    lines,
    async [Symbol.asyncDispose]() {
      const stopped = preparer.stop();
      await pool.stop();
      await stopped;
    },
  };
}

async function prepared({ spool }: Bench, objectId: ObjectId) {
  const settlement = await spool.settlement(objectId);
  if (settlement.to !== 'prepared') throw new Error(settlement.reason.code);
  return spool.open(settlement.preparedId);
}

describe('an instance that waits for the codec', () => {
  test('is prepared, and what lies on disk gives back what was received', async () => {
    await using room = bench();
    const made = slice();
    room.preparer.start();
    const object = await prepared(room, room.spool.add(made, image));
    expect(object.facts.TransferSyntaxUID).toBe(codecSyntaxes.htj2k);
    expect(object.facts.SOPInstanceUID).toBe(made.SOPInstanceUID);
    expect((await gather(restore(object, room.pool))).equals(made.dataSet)).toBe(true);
    expect(room.tally.totals()).toMatchObject({ instances: 1, bytesIn: made.dataSet.length, mismatches: 0 });
    expect(room.tally.totals().bytesOut).toBe(object.facts.dataSetBytes);
  });

  test('goes in the form that its destination has not refused', async () => {
    await using room = bench();
    room.spool.refused.add(`cloud ${codecSyntaxes.htj2k}`);
    room.preparer.start();
    const object = await prepared(room, room.spool.add(slice(), image));
    expect(object.facts.TransferSyntaxUID).toBe(codecSyntaxes['jpeg-ls']);
  });

  test('goes as received where every form was refused', async () => {
    await using room = bench();
    for (const codec of codecNames) room.spool.refused.add(`cloud ${codecSyntaxes[codec]}`);
    room.preparer.start();
    expect(await room.spool.reason(room.spool.add(slice(), image))).toMatchObject({
      code: 'COMPRESSION_NOT_TAKEN',
    });
  });

  test('goes as received where the line is faster than the codec', async () => {
    await using room = bench({ goodput: () => 1_000_000_000 });
    room.preparer.start();
    const id = room.spool.add(slice(), image);
    expect(await room.spool.reason(id)).toMatchObject({ code: 'COMPRESSION_NOT_SOONER' });
    expect(room.decider.decisions()).toMatchObject([
      { destination: 'cloud', modality: 'CT', compress: false },
    ]);
  });

  test('is prepared all the same in mode "always", and never in mode "off"', async () => {
    await using always = bench({ mode: 'always', goodput: () => 1_000_000_000 });
    await using off = bench({ mode: 'off' });
    always.preparer.start();
    off.preparer.start();
    await prepared(always, always.spool.add(slice(), image));
    expect(await off.spool.reason(off.spool.add(slice(), image))).toMatchObject({ code: 'COMPRESSION_OFF' });
  });

  test('that is urgent is taken first', async () => {
    await using room = bench();
    const routine = [room.spool.add(slice(1), image), room.spool.add(slice(2), image)];
    const urgent = room.spool.add(slice(3), image, { priority: 'stat' });
    room.preparer.start();
    await Promise.all(routine.map((id) => room.spool.settlement(id)));
    expect(room.spool.takenInOrder[0]).toBe(urgent);
  });

  test.each([
    [
      'compressed already',
      usMultiframe({ rows: 64, columns: 64, frames: 2, seed: 1 }),
      'COMPRESSION_ALREADY',
    ],
    ['a document', srDocument(), 'COMPRESSION_NO_PIXEL_DATA'],
  ])('and is %s goes as received', async (_, made, code) => {
    await using room = bench();
    room.preparer.start();
    const id = room.spool.add(made, null);
    expect(await room.spool.reason(id)).toMatchObject({ code });
    expect(room.tally.passedThroughCounts()).toEqual({ [code]: 1 });
  });
});

describe('when something is wrong', () => {
  const mismatch = { code: 'CODEC_MISMATCH' };

  test('a codec that changes one bit is caught, counted and said, without a UID', async () => {
    const lie = (pool: CodecPool): FrameCodec => ({
      width: 1,
      encode(codec, format, frame) {
        frame[0] = (frame[0] ?? 0) ^ 1;
        return pool.encode(codec, format, frame);
      },
      decode: (...call) => pool.decode(...call),
      reencode: (...call) => pool.reencode(...call),
    });
    await using room = bench({ engine: lie });
    room.preparer.start();
    const made = slice();
    expect(await room.spool.reason(room.spool.add(made, image))).toMatchObject(mismatch);
    expect(room.tally.totals()).toMatchObject({ instances: 0, mismatches: 1 });
    expect(room.lines.join('')).toContain('CODEC_MISMATCH');
    expect(room.lines.join('')).not.toContain(made.SOPInstanceUID);
  });

  test('one byte that changed on its way to the disk is caught', async () => {
    await using room = bench();
    room.spool.damage = (dataSet) => {
      dataSet[150] = (dataSet[150] ?? 0) ^ 0xff;
    };
    room.preparer.start();
    expect(await room.spool.reason(room.spool.add(slice(), image))).toMatchObject(mismatch);
  });

  test('stopping leaves what is under way to the next start', async () => {
    let begun = () => undefined as void;
    const underWay = new Promise<void>((resolve) => {
      begun = resolve;
    });
    let drop: (error: Error) => void = () => undefined;
    const stuck = (pool: CodecPool): FrameCodec => ({
      width: 1,
      encode: () =>
        new Promise((_, reject) => {
          drop = reject;
          begun();
        }),
      decode: (...call) => pool.decode(...call),
      reencode: (...call) => pool.reencode(...call),
    });
    const room = bench({ engine: stuck });
    room.preparer.start();
    const id = room.spool.add(slice(), image);
    await underWay;
    const stopped = room.preparer.stop();
    drop(new Error('the thread was stopped'));
    await stopped;
    expect(room.spool.settled.has(id)).toBe(false);
    await room[Symbol.asyncDispose]();
  });
});
