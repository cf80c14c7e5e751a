import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { parseConfig } from '../../src/config/schema.ts';
import { Passwords } from '../../src/crypto/password.ts';
import {
  checkTechnicianCode,
  makeTechnicianCode,
  technicianCodeMs,
} from '../../src/crypto/technician-code.ts';

const cheap = { ln: 4, r: 8, p: 1 };

describe('a password', () => {
  test('is recognised by its hash, however the keyboard put it together, and no other is', async () => {
    const passwords = new Passwords(cheap);
    const hash = await passwords.hash('schöne Grüße');
    expect(await passwords.verify('scho\u0308ne Gru\u0308ße', hash)).toBe(true);
    expect(await passwords.verify('schöne grüße', hash)).toBe(false);
    expect(await passwords.verify('schöne Grüße', null)).toBe(false);
    expect(await passwords.hash('schöne Grüße')).not.toBe(hash);
  });

  test('of the product costs what it should, and its hash is what the configuration takes', async () => {
    const passwordHash = await new Passwords().hash('four quiet herons wade');
    expect(passwordHash).toMatch(/^\$scrypt\$ln=15,r=8,p=3\$/);
    const config = {
      destinations: { nas: { type: 'folder', path: '/mnt/nas' } },
      users: { ada: { role: 'admin', passwordHash } },
    };
    expect(parseConfig(config).ok).toBe(true);
    const clear = { ...config, users: { ada: { role: 'admin', passwordHash: 'four quiet herons wade' } } };
    expect(JSON.stringify(parseConfig(clear))).toMatch(/gantry auth hash/);
  });

  test('waits for its turn, and is turned away where too many wait', async () => {
    const passwords = new Passwords(cheap, { atOnceMax: 1, waitingMax: 2 });
    const outcomes = await Promise.allSettled(Array.from({ length: 6 }, () => passwords.hash('x')));
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(3);
    expect(outcomes.at(-1)).toMatchObject({ status: 'rejected', reason: { code: 'PASSWORD_BUSY' } });
    expect(await passwords.hash('x')).toMatch(/^\$scrypt/);
  });
});

describe('a technician code', () => {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const other = generateKeyPairSync('ed25519');
  const madeAt = Date.UTC(2026, 10, 24, 9);
  const code = makeTechnicianCode(privateKey, { box: 'GANTRY-7F3K9Q', name: 'Kim', madeAt });
  const check = (text: string, now = madeAt, box = 'GANTRY-7F3K9Q', key = publicKey) =>
    checkTechnicianCode(text, { vendor: key }, box, now);

  test('is good for eight hours at its box, also with line breaks in it', () => {
    expect(check(code)).toEqual({ ok: true, name: 'Kim', key: 'vendor', until: madeAt + technicianCodeMs });
    expect(check(code.replaceAll(/(.{20})/g, '$1\n'))).toMatchObject({ ok: true });
    expect(check(code, madeAt + technicianCodeMs - 1)).toMatchObject({ ok: true });
    expect(check(code, madeAt + technicianCodeMs)).toEqual({ ok: false, why: 'expired' });
    expect(check(code, madeAt - 3_600_000)).toEqual({ ok: false, why: 'early' });
    expect(check(code, madeAt, 'GANTRY-222222')).toEqual({ ok: false, why: 'box' });
  });

  test('of another key, or changed anywhere, is none', () => {
    expect(check(code, madeAt, 'GANTRY-7F3K9Q', other.publicKey)).toEqual({ ok: false, why: 'signature' });
    for (let at = 0; at < code.length; at += 1) {
      const sign = code[at] === 'A' ? 'B' : 'A';
      expect(check(code.slice(0, at) + sign + code.slice(at + 1)).ok).toBe(false);
    }
    for (const text of ['', '.', 'x'.repeat(1000), `${code}.${code}`]) expect(check(text).ok).toBe(false);
  });
});
