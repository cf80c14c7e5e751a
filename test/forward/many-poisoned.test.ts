import { expect, test } from 'vitest';
import { temporaryDirectory } from '../fixtures/data-directory.ts';
import { refusalReasons, runPoison } from '../fixtures/poison-run.ts';

test('1 % poison among 2,000 small instances: each healthy one arrives once, each poisonous one is quarantined by name', async () => {
  using data = temporaryDirectory();
  const { healthy, poison, held, entries } = await runPoison({
    directory: data.path,
    instances: 2000,
    bytes: 2048,
    poisonEvery: 100,
  });
  expect(poison.size).toBe(20);
  expect([...held.keys()].toSorted()).toEqual(healthy.toSorted());
  expect([...held.values()].every((times) => times === 1)).toBe(true);
  expect(entries.filter(({ state }) => state === 'delivered')).toHaveLength(1980);
  const parked = entries.filter(({ state }) => state === 'quarantined');
  expect(parked).toHaveLength(20);
  const codes = refusalReasons.map((code) => `STOW_${code.toString(16).toUpperCase().padStart(4, '0')}`);
  expect(new Set(parked.map(({ reason }) => reason?.code))).toEqual(new Set(codes));
  expect(parked.every(({ reason }) => (reason?.words.length ?? 0) > 10)).toBe(true);
}, 120_000);
