import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { keyIdOf, okpJwk } from '../../src/crypto/jws.ts';
import { openSealed, sealMark, sealTo } from '../../src/crypto/seal-to.ts';

const box = generateKeyPairSync('x25519');
const value = { secret: 'correct horse', revision: 'r1' };
const place = { device: 'GANTRY-AAA222', name: 'archive-token' };

describe('a sealed secret', () => {
  test('opens for its box and name, and shows nothing before', async () => {
    const sealed = await sealTo(okpJwk(box.publicKey), place, value);
    expect(Buffer.from(sealed, 'base64url').toString()).not.toContain('correct horse');
    expect(await openSealed(box.privateKey, place, sealed)).toBe('correct horse');
  });

  test('opens nowhere else, and as nothing else', async () => {
    const sealed = await sealTo(okpJwk(box.publicKey), place, value);
    const other = generateKeyPairSync('x25519').privateKey;
    const code = { code: 'FLEET_SECRET_UNREADABLE' };
    await expect(openSealed(other, place, sealed)).rejects.toMatchObject(code);
    await expect(openSealed(box.privateKey, { ...place, name: 'other' }, sealed)).rejects.toMatchObject(code);
    await expect(openSealed(box.privateKey, { ...place, device: 'GANTRY-B' }, sealed)).rejects.toMatchObject(
      code,
    );
    await expect(openSealed(box.privateKey, place, `${sealed.slice(0, -2)}AA`)).rejects.toMatchObject(code);
    await expect(openSealed(box.privateKey, place, 'x')).rejects.toMatchObject(code);
  });

  test('tells without being opened to which key it was sealed, and which revision it is', async () => {
    const key = okpJwk(box.publicKey);
    const mark = { key: keyIdOf(key), revision: 'r1' };
    expect(sealMark(await sealTo(key, place, value))).toEqual(mark);
    expect(sealMark('x.y.z')).toBeNull();
    expect(sealMark('')).toBeNull();
  });

  test('is not made for a key that signs', async () => {
    const key = okpJwk(generateKeyPairSync('ed25519').publicKey);
    await expect(sealTo(key, place, value)).rejects.toThrow(TypeError);
  });
});
