import type { KeyObject } from 'node:crypto';
import { expect, test } from 'vitest';
import type { InboundKind, ReportedState } from '../../src/config/remote/documents.ts';
import { applyBench, untilSettled } from '../fixtures/apply-bench.ts';
import {
  bytesOf,
  desired,
  device,
  fleet,
  signed,
  signingKey,
  trustOf,
  trustState,
} from '../fixtures/fleet-kit.ts';

/*
 * Documents that no box may believe, offered to a running gateway of a fleet: each is refused, nothing changes, a
 * device is answered all the while, and central IT finds every kind in the report.
 */

const patienceMs = 60_000;

const [root, it, second, stranger] = Array.from({ length: 4 }, signingKey) as [
  KeyObject,
  KeyObject,
  KeyObject,
  KeyObject,
];
const keys = [
  [root, ['trust']],
  [it, ['config', 'redirect', 'timestamp', 'command']],
  [second, ['redirect']],
] as const;
const threshold = { trust: 1, config: 1, redirect: 2, timestamp: 1, command: 1 };
const trust = trustOf(keys, { threshold });

test('each refused document changes nothing, and is reported by its code; what is right is taken afterwards', async () => {
  const bench = await applyBench();
  const { gateway } = bench;
  const { agent } = gateway;
  await agent.enrol({ fleet, device, trust: trustState(trust) });
  const config = (siteName: string, more: Parameters<typeof bench.text>[0] = {}): unknown =>
    JSON.parse(bench.text({ site: { name: siteName }, ...more }));
  const apply = { when: 'now', confirmWithinSeconds: 30 };
  const document = (generation: number, more: Parameters<typeof desired>[0] = {}) =>
    desired({ generation, apply, config: config(`Generation ${generation}`), ...more });
  const offer = (bytes: Buffer, kind: InboundKind = 'desired') => agent.offer(kind, bytes, 'usb');
  const inUse = async () => (await gateway.status()).site.name;

  const [older, good] = [
    bytesOf(await signed('gantry-desired', document(4), it)),
    bytesOf(await signed('gantry-desired', document(5), it)),
  ];
  expect(await offer(good)).toMatchObject({ taken: true });
  await expect.poll(inUse, { timeout: patienceMs }).toBe('Generation 5');
  await untilSettled(bench);

  const redirected = config('Elsewhere', {
    destinations: { nas: { type: 'stow', url: 'https://archive.invalid/studies', path: undefined } },
  });
  const parts = [good, bytesOf(await signed('gantry-desired', document(6), stranger))].map(
    (bytes) => JSON.parse(bytes.toString()) as { payload: string; signatures: unknown[] },
  );
  const attacks: readonly (readonly [string, Buffer, InboundKind?])[] = [
    ['FLEET_SIGNATURE', bytesOf(await signed('gantry-desired', document(6), stranger))],
    ['FLEET_SIGNATURE', bytesOf(await signed('gantry-desired', document(6), root))],
    ['FLEET_SIGNATURE', bytesOf({ ...parts[1], signatures: parts[0]?.signatures })],
    ['FLEET_SIGNATURE', bytesOf(await signed('gantry-command', document(6), it))],
    [
      'FLEET_WRONG_DEVICE',
      bytesOf(await signed('gantry-desired', document(6, { device: 'GANTRY-BBB222' }), it)),
    ],
    ['FLEET_WRONG_FLEET', bytesOf(await signed('gantry-desired', document(6, { fleet: 'other' }), it))],
    // An old stick, after something newer came by another way.
    ['FLEET_ROLLBACK', older],
    [
      'FLEET_SAME_GENERATION',
      bytesOf(await signed('gantry-desired', document(5, { config: config('Twin') }), it)),
    ],
    [
      'FLEET_REDIRECT_THRESHOLD',
      bytesOf(await signed('gantry-desired', document(6, { config: redirected }), it)),
    ],
    ['FLEET_UNREADABLE', good.subarray(0, good.length - 2)],
    ['FLEET_TOO_LARGE', Buffer.alloc(300_000, 0x20)],
    [
      'FLEET_SIGNATURE',
      bytesOf(await signed('gantry-trust', trustOf(keys, { threshold, version: 2 }), stranger)),
      'trust',
    ],
  ];
  for (const [code, bytes, kind] of attacks) {
    expect(await offer(bytes, kind)).toEqual({ taken: false, code });
    expect(await inUse()).toBe('Generation 5');
    // Also after a check that failed: nothing of it was remembered as seen.
    expect(await offer(older)).toEqual({ taken: false, code: 'FLEET_ROLLBACK' });
    expect(await bench.echo()).toBe(true);
  }
  const jws = JSON.parse((await agent.report()).toString()) as { payload: string };
  const report = JSON.parse(Buffer.from(jws.payload, 'base64url').toString()) as ReportedState;
  const codes = new Set(report.refused.map((one) => one.code));
  expect(codes).toEqual(new Set(attacks.map(([code]) => code)));
  expect(report.config).toMatchObject({ appliedGeneration: 5, trustVersion: 1 });

  expect(await offer(good)).toEqual({ taken: true, unchanged: true });
  expect(await offer(bytesOf(await signed('gantry-desired', document(6), it)))).toMatchObject({
    taken: true,
  });
  await expect.poll(inUse, { timeout: patienceMs }).toBe('Generation 6');
  await untilSettled(bench);
}, 120_000);
