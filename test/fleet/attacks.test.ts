import { createHmac, generateKeyPairSync, sign } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { boxName, fleetName } from '../../src/config/remote/documents.ts';
import {
  FleetIndex,
  type FreshnessFacts,
  judgeFreshness,
  proofHolds,
  verifyFreshness,
} from '../../src/config/remote/freshness.ts';
import { redirectChanges } from '../../src/config/remote/redirect.ts';
import { fleetRefusals } from '../../src/config/remote/refusals.ts';
import { sha256Hex } from '../../src/config/remote/signed.ts';
import { verifyTrust } from '../../src/config/remote/trust.ts';
import { type DesiredFacts, verifyCommand, verifyDesired } from '../../src/config/remote/verify.ts';
import { keyIdOf, okpJwk, signPayload } from '../../src/crypto/jws.ts';
import {
  bytesOf,
  desired,
  device,
  fleet,
  freshnessFile,
  issuedAt,
  issuedAtMs,
  plainConfig,
  signed,
  signingKey,
  trustOf,
  trustState,
} from '../fixtures/fleet-kit.ts';

const [a, b, c, root, stamper, commander, stranger] = Array.from({ length: 7 }, signingKey) as [
  ReturnType<typeof signingKey>,
  ReturnType<typeof signingKey>,
  ReturnType<typeof signingKey>,
  ReturnType<typeof signingKey>,
  ReturnType<typeof signingKey>,
  ReturnType<typeof signingKey>,
  ReturnType<typeof signingKey>,
];

/** Two of three sign a redirection, one any other configuration. */
const trust = trustOf(
  [
    [a, ['config', 'redirect']],
    [b, ['config', 'redirect']],
    [c, ['redirect']],
    [root, ['trust']],
    [stamper, ['timestamp']],
    [commander, ['command']],
  ],
  { threshold: { trust: 1, config: 1, redirect: 2, timestamp: 1, command: 1 } },
);

const facts: DesiredFacts = {
  fleet,
  device,
  trust,
  lastGeneration: 4,
  lastSha256: 'a'.repeat(64),
  currentConfig: plainConfig,
  currentSealed: {},
};

/** The code a configuration is refused with, or null. */
async function desiredCode(bytes: Buffer, more: Partial<DesiredFacts> = {}): Promise<string | null> {
  const outcome = await verifyDesired(bytes, { ...facts, ...more });
  return outcome.ok ? null : outcome.refusal.code;
}

const good = bytesOf(await signed('gantry-desired', desired(), a));
const elsewhere = { destinations: { cloud: { type: 'stow', url: 'https://evil.example/studies' } } };

describe('a configuration', () => {
  test('that is right is taken, with the digest of its exact bytes', async () => {
    const outcome = await verifyDesired(good, facts);
    expect(outcome).toMatchObject({ ok: true, sha256: sha256Hex(bytesOf(desired())), unchanged: false });
  });

  test.each([
    ['signed by a stranger', signed('gantry-desired', desired(), stranger), 'FLEET_SIGNATURE'],
    ['signed by a key of another role', signed('gantry-desired', desired(), stamper), 'FLEET_SIGNATURE'],
    ['signed as another kind of document', signed('gantry-command', desired(), a), 'FLEET_SIGNATURE'],
    [
      'for another box',
      signed('gantry-desired', desired({ device: 'GANTRY-BBB222' }), a),
      'FLEET_WRONG_DEVICE',
    ],
    ['of another fleet', signed('gantry-desired', desired({ fleet: 'other' }), a), 'FLEET_WRONG_FLEET'],
    ['of a lower generation', signed('gantry-desired', desired({ generation: 3 }), a), 'FLEET_ROLLBACK'],
    [
      'of the same generation',
      signed('gantry-desired', desired({ generation: 4 }), a),
      'FLEET_SAME_GENERATION',
    ],
    ['with an unknown member', signed('gantry-desired', { ...desired(), extra: 1 }, a), 'FLEET_UNREADABLE'],
    ['that is a trust document', signed('gantry-desired', trust, a), 'FLEET_UNREADABLE'],
    [
      'that sends data elsewhere',
      signed('gantry-desired', desired({ config: elsewhere }), a),
      'FLEET_REDIRECT_THRESHOLD',
    ],
  ])('%s is refused', async (_what, jws, code) => {
    expect(await desiredCode(bytesOf(await jws))).toBe(code);
  });

  test('that sends data elsewhere needs two different keys of that role', async () => {
    const jws = await signed('gantry-desired', desired({ config: elsewhere }), a);
    const twice = { ...jws, signatures: [...jws.signatures, ...jws.signatures] };
    expect(await desiredCode(bytesOf(twice))).toBe('FLEET_REDIRECT_THRESHOLD');
    const both = await signed('gantry-desired', desired({ config: elsewhere }), a, c);
    expect(await desiredCode(bytesOf(both))).toBeNull();
    // The role alone does not make a configuration: one of its own has to sign as well.
    const redirectOnly = await signed('gantry-desired', desired({ config: elsewhere }), c);
    expect(await desiredCode(bytesOf(redirectOnly))).toBe('FLEET_SIGNATURE');
  });

  test('is not enough for a threshold of two when one key signed twice', async () => {
    const two = { ...trust, threshold: { ...trust.threshold, config: 2 } };
    const jws = JSON.parse(good.toString()) as Awaited<ReturnType<typeof signed>>;
    const twice = bytesOf({ ...jws, signatures: [...jws.signatures, ...jws.signatures] });
    expect(await desiredCode(twice, { trust: two })).toBe('FLEET_THRESHOLD');
    // Nor when it is listed under a second name.
    const listed = {
      ...two,
      keys: { ...two.keys, [keyIdOf(okpJwk(stranger))]: two.keys[keyIdOf(okpJwk(a))] },
    };
    const both = await signed('gantry-desired', desired(), a, stranger);
    expect(await desiredCode(bytesOf(both), { trust: listed as typeof trust })).toBe('FLEET_THRESHOLD');
    expect(
      await desiredCode(bytesOf(await signed('gantry-desired', desired(), a, b)), { trust: two }),
    ).toBeNull();
  });

  test('mixed of the parts of two is refused', async () => {
    const one = await signed('gantry-desired', desired(), a);
    const other = await signed('gantry-desired', desired({ generation: 9 }), a);
    expect(await desiredCode(bytesOf({ ...other, signatures: one.signatures }))).toBe('FLEET_SIGNATURE');
    const [first] = one.signatures;
    const [second] = other.signatures;
    const crossed = { ...one, signatures: [{ protected: first?.protected, signature: second?.signature }] };
    expect(await desiredCode(bytesOf(crossed))).toBe('FLEET_SIGNATURE');
  });

  const payload = bytesOf(desired()).toString('base64url');
  const kid = keyIdOf(okpJwk(a));
  function forged(header: object, make: (input: string) => Buffer): Buffer {
    const head = bytesOf(header).toString('base64url');
    const signature = make(`${head}.${payload}`).toString('base64url');
    return bytesOf({ payload, signatures: [{ protected: head, signature }] });
  }
  const typ = 'gantry-desired';
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  test.each([
    ['no algorithm', forged({ alg: 'none', kid, typ }, () => Buffer.alloc(0))],
    [
      'the public key as a shared secret',
      forged({ alg: 'HS256', kid, typ }, (text) => createHmac('sha256', okpJwk(a).x).update(text).digest()),
    ],
    [
      'another curve',
      forged({ alg: 'ES256', kid, typ }, (text) =>
        sign('sha256', Buffer.from(text), { key: ec, dsaEncoding: 'ieee-p1363' }),
      ),
    ],
    [
      'an extension nobody checks',
      forged({ alg: 'EdDSA', kid, typ, crit: ['b64'], b64: false }, (text) =>
        sign(null, Buffer.from(text), a),
      ),
    ],
    [
      'a key of its own in the header',
      forged({ alg: 'EdDSA', kid, typ, jwk: okpJwk(stranger) }, (text) =>
        sign(null, Buffer.from(text), stranger),
      ),
    ],
    ['all zeros', forged({ alg: 'EdDSA', kid, typ }, () => Buffer.alloc(64))],
  ])('signed with %s is refused', async (_what, bytes) => {
    expect(await desiredCode(bytes)).toBe('FLEET_SIGNATURE');
  });

  test.each([
    ['oversize', Buffer.alloc(65_537, 0x20), 'FLEET_TOO_LARGE'],
    ['empty', Buffer.alloc(0), 'FLEET_UNREADABLE'],
    ['lists in lists', Buffer.from('['.repeat(60_000)), 'FLEET_UNREADABLE'],
    ['objects in objects', Buffer.from('{"a":'.repeat(12_000)), 'FLEET_UNREADABLE'],
    ['bytes that are no text', Buffer.from([0xff, 0xfe, 0x00]), 'FLEET_UNREADABLE'],
    ['a member twice', Buffer.from(good.toString().replace('{', '{"payload":"e30",')), 'FLEET_UNREADABLE'],
    ['no signatures', bytesOf({ payload: 'e30', signatures: [] }), 'FLEET_UNREADABLE'],
    [
      'another text for the same bytes',
      Buffer.from(good.toString().replace('","sig', '=","sig')),
      'FLEET_UNREADABLE',
    ],
  ])('of %s is refused', async (_what, bytes, code) => {
    expect(await desiredCode(bytes)).toBe(code);
  });

  test('with a deep or doubled inside is refused even when signed', async () => {
    for (const text of ['['.repeat(5000), `{"kind":"DesiredConfig",${JSON.stringify(desired()).slice(1)}`]) {
      const jws = await signPayload('gantry-desired', Buffer.from(text), a);
      expect(await desiredCode(bytesOf(jws))).toBe('FLEET_UNREADABLE');
    }
  });

  test('of any other bytes is refused, and never throws', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 }), async (at, change) => {
        const bytes = Buffer.from(good);
        bytes.writeUInt8(bytes.readUInt8(at) ^ change, at);
        const outcome = await verifyDesired(bytes, facts);
        expect(outcome.ok).toBe(false);
      }),
      { numRuns: 300 },
    );
    await fc.assert(
      fc.asyncProperty(fc.json(), async (text) => {
        expect(await desiredCode(Buffer.from(text))).toBe('FLEET_UNREADABLE');
      }),
      { numRuns: 100 },
    );
  });

  test('of any lower generation, or the same with other bytes, is refused', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 50 }),
        fc.integer({ min: 1, max: 50 }),
        async (last, next) => {
          const bytes = bytesOf(await signed('gantry-desired', desired({ generation: next }), a));
          const code = await desiredCode(bytes, { lastGeneration: last });
          expect(code).toBe(next > last ? null : next === last ? 'FLEET_SAME_GENERATION' : 'FLEET_ROLLBACK');
        },
      ),
      { numRuns: 60 },
    );
  });

  test('that came before comes again without harm', async () => {
    const last = { lastGeneration: 5, lastSha256: sha256Hex(bytesOf(desired())) };
    expect(await verifyDesired(good, { ...facts, ...last })).toMatchObject({ ok: true, unchanged: true });
  });
});

describe('what sends patient data elsewhere', () => {
  const before = { destinations: { cloud: { type: 'stow', url: 'https://a.example/studies', parallel: 2 } } };
  const cloud = before.destinations.cloud;
  test.each<[string, object, string[]]>([
    ['nothing', before, []],
    ['how much at a time', { destinations: { cloud: { ...cloud, parallel: 4 } } }, []],
    ['an archive less', { destinations: {} }, []],
    ['the site', { ...before, site: { name: 'X' } }, []],
    ['an empty section', { ...before, remote: {} }, []],
    [
      'an authority',
      { destinations: { cloud: { ...cloud, caFile: '/ca' } } },
      ['/destinations/cloud/caFile'],
    ],
    [
      'a proxy',
      { destinations: { cloud: { ...cloud, proxy: { url: 'x' } } } },
      ['/destinations/cloud/proxy'],
    ],
    [
      'something unknown',
      { destinations: { cloud: { ...cloud, mirror: 'x' } } },
      ['/destinations/cloud/mirror'],
    ],
    ['another archive', { destinations: { cloud, 'n/1': { type: 'folder' } } }, ['/destinations/n~11/type']],
    ['routes', { ...before, routes: { default: { to: ['x'] } } }, ['/routes']],
    ['the audit record', { ...before, audit: { syslog: { host: 'x' } } }, ['/audit']],
    ['remote configuration', { ...before, remote: { https: { url: 'x' } } }, ['/remote']],
  ])('%s', (_what, after, changes) => {
    expect(redirectChanges(before, after as Record<string, unknown>)).toEqual(changes);
  });

  test('everything, where nothing was before', () => {
    expect(redirectChanges(null, before)).toContain('/destinations/cloud/url');
  });

  test('another secret for an archive, but not one for notices', async () => {
    const config = {
      destinations: {
        cloud: { ...plainConfig.destinations.cloud, auth: { type: 'bearer', tokenFile: 'secret:token' } },
      },
      notify: { webhook: { url: 'https://notice.example', tokenFile: 'secret:notice' } },
    };
    const sealed = { token: 'sealed before', notice: 'sealed before' };
    const inUse = { currentConfig: config, currentSealed: sealed };
    const offered = async (more: object, ...keys: ReturnType<typeof signingKey>[]) => {
      const document = desired({ config, sealed: { ...sealed, ...more } });
      return desiredCode(bytesOf(await signed('gantry-desired', document, ...keys)), inUse);
    };
    expect(await offered({}, a)).toBeNull();
    expect(await offered({ notice: 'sealed anew' }, a)).toBeNull();
    expect(await offered({ token: 'sealed anew' }, a)).toBe('FLEET_REDIRECT_THRESHOLD');
    expect(await offered({ token: 'sealed anew' }, a, b)).toBeNull();
  });
});

describe('trust', () => {
  const now = trustState(trust);
  const newRoot = signingKey();
  const newer = trustOf(
    [
      [a, ['config', 'redirect', 'timestamp', 'command']],
      [newRoot, ['trust']],
    ],
    { version: 2 },
  );
  const sign2 = (...keys: (typeof a)[]) => signed('gantry-trust', newer, ...keys);

  async function trustCode(value: unknown): Promise<string | null> {
    const outcome = await verifyTrust(bytesOf(value), now);
    return outcome.ok ? null : outcome.refusal.code;
  }

  test('moves on when the old and the new keys say so, also over several steps', async () => {
    const second = await sign2(root, newRoot);
    expect(await verifyTrust(bytesOf(second), now)).toMatchObject({ ok: true, unchanged: false });
    const first = await signed('gantry-trust', trust, root);
    const third = await signed('gantry-trust', { ...newer, version: 3 }, newRoot);
    const chain = await verifyTrust(bytesOf([first, second, third]), now);
    expect(chain).toMatchObject({ ok: true, trust: { document: { version: 3 } } });
    expect(await verifyTrust(bytesOf(first), now)).toMatchObject({ ok: true, unchanged: true });
  });

  test('does not move on otherwise', async () => {
    expect(await trustCode(await sign2(newRoot))).toBe('FLEET_SIGNATURE');
    expect(await trustCode(await sign2(root))).toBe('FLEET_SIGNATURE');
    expect(await trustCode(await sign2(a, stranger))).toBe('FLEET_SIGNATURE');
    expect(await trustCode(await signed('gantry-trust', { ...newer, fleet: 'other' }, root, newRoot))).toBe(
      'FLEET_WRONG_FLEET',
    );
    expect(await trustCode(await signed('gantry-trust', { ...newer, version: 3 }, root, newRoot))).toBe(
      'FLEET_TRUST_GAP',
    );
    expect(
      await trustCode(await signed('gantry-trust', { ...trust, issuedAt: '2026-01-02T00:00:00.000Z' }, root)),
    ).toBe('FLEET_SAME_GENERATION');
    expect(await trustCode([])).toBe('FLEET_UNREADABLE');
  });

  test('never becomes such that nobody could follow it', async () => {
    const locked = { ...newer, threshold: { ...newer.threshold, trust: 2 } };
    expect(await trustCode(await signed('gantry-trust', locked, root, newRoot))).toBe('FLEET_TRUST_UNUSABLE');
    const misnamed = {
      ...newer,
      keys: { ...newer.keys, [keyIdOf(okpJwk(b))]: newer.keys[keyIdOf(okpJwk(a))] },
    };
    expect(await trustCode(await signed('gantry-trust', misnamed, root, newRoot))).toBe(
      'FLEET_TRUST_UNUSABLE',
    );
  });

  test('follows a chain whole or not at all, and does not go back', async () => {
    const second = await sign2(root, newRoot);
    const badThird = await signed('gantry-trust', { ...newer, version: 3 }, root);
    expect(await trustCode([second, badThird])).toBe('FLEET_SIGNATURE');
    const outcome = await verifyTrust(bytesOf(await signed('gantry-trust', trust, root)), trustState(newer));
    expect(outcome).toMatchObject({ ok: false, refusal: { code: 'FLEET_ROLLBACK' } });
  });

  test('that forgot a key refuses what it signs', async () => {
    const bytes = bytesOf(await signed('gantry-desired', desired(), b));
    expect(await desiredCode(bytes)).toBeNull();
    expect(await desiredCode(bytes, { trust: newer })).toBe('FLEET_SIGNATURE');
  });
});

describe('freshness', async () => {
  const entries = [
    { device: 'GANTRY-ZZZ222', generation: 1, sha256: 'c'.repeat(64) },
    { device, generation: 5, sha256: 'b'.repeat(64) },
    { device: 'GANTRY-MMM222', generation: 2, sha256: 'd'.repeat(64) },
  ];
  const facts5: FreshnessFacts = {
    fleet,
    device,
    trust,
    last: null,
    lastGeneration: 5,
    lastSha256: 'b'.repeat(64),
    now: issuedAtMs,
  };
  const current = await freshnessFile(entries, stamper);

  async function check(file: unknown, more: Partial<FreshnessFacts> = {}): Promise<string> {
    const outcome = await verifyFreshness(bytesOf(file), { ...facts5, ...more });
    return outcome.ok ? outcome.freshness : outcome.refusal.code;
  }

  test('is judged by what is newest, and by the clock where there is one', async () => {
    expect(await check(current)).toBe('fresh');
    expect(await check(current, { now: Date.parse('2026-01-03T00:00:00.000Z') })).toBe('stale');
    expect(await check(current, { now: null })).toBe('clock not trusted');
    expect(await check(current, { now: issuedAtMs - 3_600_000 })).toBe('clock not trusted');
    expect(await check(current, { lastGeneration: 4, now: null })).toBe('behind');
    expect(judgeFreshness(null, facts5)).toBe('unknown');
  });

  test('frozen: an old timestamp shown for ever becomes stale, and says so without anything new', async () => {
    const outcome = await verifyFreshness(bytesOf(current), facts5);
    if (!outcome.ok) throw new Error(outcome.refusal.code);
    expect(judgeFreshness(outcome.state, { ...facts5, now: issuedAtMs + 3 * 86_400_000 })).toBe('stale');
  });

  test('is refused where it is forged, old, or belongs to another box', async () => {
    expect(await check(await freshnessFile(entries, a))).toBe('FLEET_SIGNATURE');
    expect(await check(await freshnessFile(entries, stamper, { fleet: 'other' }))).toBe('FLEET_WRONG_FLEET');
    expect(await check(await freshnessFile(entries, stamper, {}, 'GANTRY-MMM222'))).toBe(
      'FLEET_WRONG_DEVICE',
    );
    const { proof } = current;
    expect(await check({ ...current, proof: { ...proof, generation: 4 } })).toBe('FLEET_PROOF');
    expect(await check({ ...current, proof: { ...proof, path: proof.path.slice(1) } })).toBe('FLEET_PROOF');
    expect(await check({ ...current, proof: { ...proof, index: 1 } })).toBe('FLEET_PROOF');
    expect(await check(current, { lastSha256: 'e'.repeat(64) })).toBe('FLEET_SAME_GENERATION');
    expect(await check({ ...current, extra: 1 })).toBe('FLEET_UNREADABLE');
  });

  test('never goes back', async () => {
    const outcome = await verifyFreshness(bytesOf(current), facts5);
    if (!outcome.ok) throw new Error(outcome.refusal.code);
    const last = outcome.state;
    expect(await check(await freshnessFile(entries, stamper, { version: 2 }), { last })).toBe(
      'FLEET_ROLLBACK',
    );
    const otherTime = { issuedAt: '2026-01-01T00:00:01.000Z' };
    expect(await check(await freshnessFile(entries, stamper, otherTime), { last })).toBe(
      'FLEET_SAME_GENERATION',
    );
    const lower = entries.map((entry) => ({ ...entry, generation: 1 }));
    expect(await check(await freshnessFile(lower, stamper, { version: 4 }), { last })).toBe('FLEET_ROLLBACK');
    const underOldTrust = { ...last, timestamp: { ...last.timestamp, trustVersion: 2 } };
    expect(await check(await freshnessFile(entries, stamper, { version: 4 }), { last: underOldTrust })).toBe(
      'FLEET_TRUST_OLD',
    );
    expect(await check(await freshnessFile(entries, stamper, { version: 4 }), { last })).toBe('fresh');
  });

  test('every box of a fleet of any size has a proof, and it holds for that box alone', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 70 }), fc.nat(), (boxes, pick) => {
        const index = new FleetIndex(
          Array.from({ length: boxes }, (_, at) => ({
            device: `BOX-${String(at).padStart(4, '0')}`,
            generation: at + 1,
            sha256: sha256Hex(Buffer.from([at])),
          })),
        );
        const at = pick % boxes;
        const proof = index.proof(at);
        expect(proofHolds(proof, index.root, boxes)).toBe(true);
        expect(proofHolds({ ...proof, generation: proof.generation + 1 }, index.root, boxes)).toBe(false);
        expect(proofHolds({ ...proof, index: at + 1 }, index.root, boxes)).toBe(false);
        expect(proofHolds({ ...proof, path: [...proof.path, 'a'.repeat(64)] }, index.root, boxes)).toBe(
          false,
        );
      }),
      { numRuns: 200 },
    );
  });
});

describe('a command', () => {
  const command = {
    apiVersion: 'gantry/v1',
    kind: 'Command',
    fleet,
    device,
    id: '3f0c8a52-7a4e-4c53-9d2a-0f1f5c3b6a11',
    issuedAt,
    expiresAt: '2026-01-01T01:00:00.000Z',
    verb: 'retry',
  };

  async function check(value: object, key = commander, now: number | null = issuedAtMs, seen = false) {
    const bytes = bytesOf(await signed('gantry-command', value, key));
    const outcome = await verifyCommand(bytes, { fleet, device, trust, now, seen: () => seen });
    return outcome.ok ? outcome.command.verb : outcome.refusal.code;
  }

  test('is done once, in its time, by the box it is for', async () => {
    expect(await check(command)).toBe('retry');
    expect(await check(command, a)).toBe('FLEET_SIGNATURE');
    expect(await check({ ...command, device: boxName.parse('GANTRY-BBB222') })).toBe('FLEET_WRONG_DEVICE');
    expect(await check({ ...command, fleet: fleetName.parse('other') })).toBe('FLEET_WRONG_FLEET');
    expect(await check(command, commander, issuedAtMs, true)).toBe('FLEET_REPLAY');
    expect(await check(command, commander, issuedAtMs + 3_600_000)).toBe('FLEET_EXPIRED');
    // Longer than a box remembers it, whatever it says itself.
    const lasting = { ...command, expiresAt: '2036-01-01T00:00:00.000Z' };
    expect(await check(lasting, commander, issuedAtMs + 86_399_000)).toBe('retry');
    expect(await check(lasting, commander, issuedAtMs + 86_400_000)).toBe('FLEET_EXPIRED');
    expect(await check(command, commander, issuedAtMs - 3_600_000)).toBe('FLEET_EARLY');
    expect(await check(command, commander, null)).toBe('FLEET_CLOCK');
    expect(await check({ ...command, verb: 'rm -rf' })).toBe('FLEET_UNREADABLE');
  });
});

test('every refusal says what is wrong and what to do', () => {
  for (const [code, { message, nextStep }] of Object.entries(fleetRefusals)) {
    expect(code).toMatch(/^FLEET_[A-Z_]+$/);
    expect(message).toMatch(/^[A-Z].*\.$/);
    expect(nextStep).toMatch(/^[A-Z].*\.$/);
  }
});
