import { createHash } from 'node:crypto';
import { systemClock } from '../../src/base/clock.ts';
import { createLog } from '../../src/base/log.ts';
import { CompressionDecider } from '../../src/codec/decider.ts';
import { decodeFrame, encodeFrame } from '../../src/codec/engines.ts';
import { codecNames } from '../../src/codec/frame-format.ts';
import type { FrameCodec } from '../../src/codec/lossless.ts';
import { Preparer } from '../../src/codec/preparer.ts';
import { restore } from '../../src/codec/restore.ts';
import { CodecTally } from '../../src/codec/savings.ts';
import type { CodecOptions } from '../../src/spool/prepared.ts';
import type { Spool } from '../../src/spool/spool.ts';
import type { ForwardItem, OpenObject, PrepareSettlement, SpoolCodec } from '../../src/spool/types.ts';
import { ctSlice } from '../fixtures/dicom-objects.ts';
import { type TestInstance, testInstance } from '../fixtures/open-spool.ts';

/** The engines in this thread: what is tested is the disk. */
const engine: FrameCodec = {
  width: 1,
  encode: async (codec, format, frame) => Buffer.from(await encodeFrame(codec, format, frame)),
  decode: async (codec, format, stream) => Buffer.from(await decodeFrame(codec, format, stream)),
  reencode: () => Promise.reject(new Error('only explicit little endian is sent here')),
};

/** As the gateway connects its codec to the spool. */
export const codec: CodecOptions = {
  waitsFor: () => true,
  restore: (prepared) => restore(prepared, engine),
};

let seed = 0;

/** A CT slice that compresses well. The larger, the more pieces it is written in. */
export function ctInstance(edge: number): TestInstance {
  seed += 1;
  const made = ctSlice({ rows: edge, columns: edge, seed });
  const { admission, found } = testInstance({ uid: made.SOPInstanceUID });
  const { SOPClassUID, TransferSyntaxUID, StudyInstanceUID, SeriesInstanceUID } = made;
  return {
    admission: { ...admission, SOPClassUID, TransferSyntaxUID },
    found: {
      ...found,
      StudyInstanceUID,
      SeriesInstanceUID,
      image: { Rows: edge, Columns: edge, BitsAllocated: 16, NumberOfFrames: 1 },
    },
    dataSet: made.dataSet,
  };
}

export interface Preparing extends AsyncDisposable {
  /** Resolves with what became of the next instance. */
  settled(): Promise<PrepareSettlement>;
  readonly tally: CodecTally;
  /** Every line that was logged. */
  readonly lines: readonly string[];
}

/** Lets the codec's door work on a spool until it is disposed of. */
export function startPreparing(spool: Spool): Preparing {
  const tally = new CodecTally();
  const lines: string[] = [];
  const done: PrepareSettlement[] = [];
  let wake: () => void = () => undefined;
  const preparer = new Preparer({
    spool: noticing(spool.codec, (settlements) => {
      done.push(...settlements);
      wake();
    }),
    engine,
    decider: new CompressionDecider({ mode: 'always', workers: 1 }),
    tally,
    codecs: codecNames,
    goodput: () => null,
    clock: systemClock,
    log: createLog('info', { write: (line) => lines.push(line) }),
  });
  preparer.start();
  return {
    tally,
    lines,
    settled: async () => {
      for (;;) {
        const settlement = done.shift();
        if (settlement !== undefined) return settlement;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
    [Symbol.asyncDispose]: () => preparer.stop(),
  };
}

function noticing(
  spool: SpoolCodec,
  notice: (settlements: readonly PrepareSettlement[]) => void,
): SpoolCodec {
  return {
    takePrepare: (instancesMax) => spool.takePrepare(instancesMax),
    open: (objectId) => spool.open(objectId),
    beginPrepared: (...which) => spool.beginPrepared(...which),
    accepts: (...which) => spool.accepts(...which),
    onWork: (listener) => spool.onWork(listener),
    settlePrepare: async (settlements) => {
      await spool.settlePrepare(settlements);
      notice(settlements);
    },
  };
}

function take(spool: Spool): Promise<ForwardItem[]> {
  return spool.takeForward('cloud', { instancesMax: 100, bytesMax: 1e9, order: 'oldest' });
}

/** What one attempt would send. */
export interface Attempt {
  readonly item: ForwardItem;
  readonly uid: string;
  readonly syntax: string;
  readonly dataSet: Buffer;
}

/** Takes what is due, reads it as forwarding does, and leaves its outcome unknown: it is due again. */
export async function attemptAll(spool: Spool): Promise<Attempt[]> {
  const items: ForwardItem[] = [];
  // A batch is of one study.
  for (let batch = await take(spool); batch.length > 0; batch = await take(spool)) items.push(...batch);
  const attempts: Attempt[] = [];
  for (const item of items) {
    await using object = await spool.open(item.sentId);
    const { SOPInstanceUID, TransferSyntaxUID } = object.facts;
    attempts.push({
      item,
      uid: SOPInstanceUID,
      syntax: TransferSyntaxUID,
      dataSet: await contentOf(object),
    });
  }
  await spool.settleForward(
    items.map(({ objectId, destination }) => ({
      objectId,
      destination,
      to: 'queued',
      retryAt: 0,
      countAttempt: false,
      outcomeUnknown: true,
      reason: { code: 'TEST', words: 'The answer did not come.' },
      batchInstancesMax: null,
    })),
  );
  return attempts;
}

async function contentOf(object: OpenObject): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of object.dataSet()) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Names what was sent: the instance, its form, its bytes. */
export function nameOf({ uid, syntax, dataSet }: Omit<Attempt, 'item'>): string {
  return `${uid} ${syntax} ${createHash('sha256').update(dataSet).digest('hex')}`;
}
