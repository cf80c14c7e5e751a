import { expect, test } from 'vitest';
import { LogRing } from '../../src/base/log-ring.ts';

test('keeps the last lines, bounded in number, length and all together, without UIDs', () => {
  const ring = new LogRing();
  for (let number = 0; number < 5000; number += 1) ring.write(`{"number":${number}}\n`);
  expect(ring.lines()).toHaveLength(2000);
  expect(ring.lines().at(-1)).toBe('{"number":4999}');
  for (let number = 0; number < 2000; number += 1) ring.write('x'.repeat(100_000));
  expect(ring.lines().join('').length).toBeLessThanOrEqual(1024 * 1024);
  ring.write('uid 1.2.840.10008.5.1 seen');
  expect(ring.lines().at(-1)).toBe('uid [uid] seen');
});

test('does not keep what lets its reader in', () => {
  const ring = new LogRing();
  ring.write('{"event":"pairing","pairingCode":"ABCD-1234","msg":"enter ABCD-1234"}\n');
  expect(ring.lines()).toEqual([]);
});
