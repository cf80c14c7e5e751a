import { randomFillSync } from 'node:crypto';

const poolBytes = 4096;
const pool = Buffer.allocUnsafeSlow(poolBytes);
let at = poolBytes;

/**
 * Random bytes for keys, nonces and ids, drawn from the system a page at a time: asking it for each few costs more
 * than sealing a small object. What was given out is wiped here.
 * @param bytes at most 4,096
 */
export function fewRandomBytes(bytes: number): Buffer {
  if (at + bytes > poolBytes) {
    randomFillSync(pool);
    at = 0;
  }
  const given = Buffer.from(pool.subarray(at, at + bytes));
  pool.fill(0, at, at + bytes);
  at += bytes;
  return given;
}
