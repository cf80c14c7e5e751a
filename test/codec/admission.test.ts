import { expect, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { Codec } from '../../src/gateway-codec.ts';
import type { ObjectFacts, SpoolCodec } from '../../src/spool/types.ts';
import { ManualClock } from '../fixtures/manual-clock.ts';
import { MemorySpool } from '../fixtures/memory-spool.ts';
import { ctSlice } from '../fixtures/dicom-objects.ts';

/** Of an image that is worth a try. */
function imageFacts(): ObjectFacts {
  const spool = new MemorySpool(new ManualClock());
  const image = { Rows: 512, Columns: 512, BitsAllocated: 16, NumberOfFrames: 1 };
  return spool.get(spool.add(ctSlice({ rows: 8, columns: 8, seed: 1 }), { image })).facts;
}

const idle: Pick<SpoolCodec, 'accepts' | 'takePrepare' | 'onWork'> = {
  accepts: () => null,
  takePrepare: () => Promise.resolve([]),
  onWork: () => () => undefined,
};

function codecOn(goodput: () => number | null): Codec {
  const compression = { mode: 'auto', syntaxes: ['jpeg-ls'], atRest: false, workers: 1 } as const;
  const codec = new Codec(
    { compression: { ...compression, syntaxes: [...compression.syntaxes] } },
    systemClock,
    silentLog,
  );
  codec.start({ spool: idle as SpoolCodec, goodput });
  return codec;
}

test.each([
  ['a slow line', () => 500_000, true],
  ['a fast line', () => 500_000_000, false],
  ['a line not measured yet', () => null, false],
  [
    'a fault of the codec itself, which the sender must not feel',
    () => {
      throw new Error('broken');
    },
    false,
  ],
])('at admission, on %s', async (_, goodput: () => number | null, waits) => {
  const codec = codecOn(goodput);
  expect(codec.waitsFor(imageFacts())).toBe(waits);
  await codec.stop();
});
