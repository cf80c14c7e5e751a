import { expect, test } from 'vitest';
import type { FrameFormat } from '../../src/codec/frame-format.ts';
import { CodecPool } from '../../src/codec/lossless.ts';

const format: FrameFormat = {
  Rows: 64,
  Columns: 64,
  SamplesPerPixel: 1,
  BitsAllocated: 16,
  BitsStored: 16,
  signed: false,
};
const frame = () => Buffer.alloc(64 * 64 * 2, 3);

test('an engine that traps fails only its own task; the next one gets a new thread', async () => {
  const failures: string[] = [];
  const pool = new CodecPool({
    workersMax: 1,
    idleMs: 60_000,
    threadFailed: (cause) => failures.push(cause),
  });
  const results = await Promise.allSettled([
    pool.encode('htj2k', format, frame()),
    pool.decode('htj2k', format, Buffer.alloc(500, 7)),
    pool.encode('jpeg-ls', format, frame()),
    pool.decode('jpeg-ls', format, Buffer.alloc(500, 7)),
    pool.encode('htj2k', format, frame()),
  ]);
  expect(results.map(({ status }) => status)).toEqual([
    'fulfilled',
    'rejected',
    'fulfilled',
    'rejected',
    'fulfilled',
  ]);
  expect(failures).toHaveLength(2);
  await pool.stop();
});

test('a pool that is stopped in the middle fails what it had, and keeps no thread', async () => {
  const pool = new CodecPool({ workersMax: 2, idleMs: 60_000, threadFailed: () => undefined });
  const tasks = Array.from({ length: 5 }, () => pool.encode('htj2k', format, frame()));
  const settled = Promise.allSettled(tasks);
  await pool.stop();
  expect((await settled).every(({ status }) => status === 'rejected')).toBe(true);
  expect(pool.threads).toBe(0);
  await expect(pool.encode('htj2k', format, frame())).rejects.toMatchObject({
    reason: { code: 'CODEC_FAILED' },
  });
});
