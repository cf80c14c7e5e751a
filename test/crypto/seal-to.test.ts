import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { okpJwk } from '../../src/crypto/jws.ts';
import { openSealed, sealTo } from '../../src/crypto/seal-to.ts';

const box = generateKeyPairSync('x25519');
const place = { device: 'GANTRY-AAA222', name: 'archive-token' };

describe('a sealed secret', () => {
  test('opens for its box and name, and shows nothing before', async () => {
    const sealed = await sealTo(okpJwk(box.publicKey), place, 'correct horse');
    expect(Buffer.from(sealed, 'base64url').toString()).not.toContain('correct horse');
    expect(await openSealed(box.privateKey, place, sealed)).toBe('correct horse');
  });

  test('opens nowhere else, and as nothing else', async () => {
    const sealed = await sealTo(okpJwk(box.publicKey), place, 'correct horse');
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

  test('is not made for a key that signs', async () => {
    const key = okpJwk(generateKeyPairSync('ed25519').publicKey);
    await expect(sealTo(key, place, 'x')).rejects.toThrow(TypeError);
  });
});
