import { copyFileSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Disk, nodeDisk } from '../../src/base/disk.ts';
import { silentLog } from '../../src/base/log.ts';
import { Keyring } from '../../src/crypto/keyring.ts';
import { temporaryDirectory } from '../fixtures/data-directory.ts';
import { openKeystore } from '../fixtures/independent-decryptor.ts';

const dayMs = 86_400_000;

function clockAt(start: number) {
  let now = start;
  return { now: () => now, monotonic: () => now, advance: (ms: number) => (now += ms) };
}

function open(
  data: string,
  over: { clock?: ReturnType<typeof clockAt>; disk?: Disk; mayCreate?: boolean; credentials?: string } = {},
) {
  return Keyring.open({
    disk: over.disk ?? nodeDisk,
    directory: join(data, 'keys'),
    clock: over.clock ?? clockAt(1_000_000),
    log: silentLog,
    mayCreate: over.mayCreate ?? true,
    credentials: over.credentials ?? null,
  });
}

describe('keyring', () => {
  it('keeps its keys over a restart, in files only the owner can read', async () => {
    using data = temporaryDirectory();
    const first = await open(data.path);
    const again = await open(data.path, { mayCreate: false });
    expect(again.boxId).toBe(first.boxId);
    expect(again.keyedHash('x')).toBe(first.keyedHash('x'));
    expect(again.currentEpoch().id.equals(first.currentEpoch().id)).toBe(true);
    for (const name of readdirSync(join(data.path, 'keys'))) {
      expect(statSync(join(data.path, 'keys', name)).mode & 0o077, name).toBe(0);
    }
  });

  it('takes the root key from a credential, and then needs no file', async () => {
    using data = temporaryDirectory();
    using credentials = temporaryDirectory();
    const first = await open(data.path);
    expect(first.rootKeyPlace).toBe('file');
    const file = join(data.path, 'keys', 'root.key');
    const credential = join(credentials.path, 'gantry-root-key');
    copyFileSync(file, credential);
    expect((await open(data.path, { credentials: credentials.path })).rootKeyPlace).toBe('credential');
    rmSync(file);
    const again = await open(data.path, { credentials: credentials.path, mayCreate: false });
    expect(again.boxId).toBe(first.boxId);
    expect(readdirSync(join(data.path, 'keys'))).not.toContain('root.key');
    await expect(open(data.path)).rejects.toMatchObject({ code: 'KEYS_ROOT_MISSING' });
    writeFileSync(file, Buffer.alloc(32, 1));
    const differs = { code: 'KEYS_ROOT_DIFFERS' };
    await expect(open(data.path, { credentials: credentials.path })).rejects.toMatchObject(differs);
  });

  it('makes no key of its own where the credential is there from the first start', async () => {
    using data = temporaryDirectory();
    using credentials = temporaryDirectory();
    writeFileSync(join(credentials.path, 'gantry-root-key'), Buffer.alloc(32, 7));
    await open(data.path, { credentials: credentials.path });
    expect(readdirSync(join(data.path, 'keys'))).toEqual(['keystore-a', 'keystore-b']);
  });

  it('has the epoch in both copies on disk before it hands it out', async () => {
    using data = temporaryDirectory();
    const keyring = await open(data.path);
    const id = keyring.currentEpoch().id.toString('base64');
    for (const copy of ['keystore-a', 'keystore-b'] as const) {
      expect(openKeystore(data.path, copy).json.epochs.map((epoch) => epoch.id)).toContain(id);
    }
  });

  it('starts a new epoch after a day, without making the caller wait, and keeps the old key', async () => {
    using data = temporaryDirectory();
    const clock = clockAt(1_000_000);
    const keyring = await open(data.path, { clock });
    const old = keyring.currentEpoch();
    clock.advance(dayMs);
    expect(keyring.currentEpoch().id.equals(old.id)).toBe(true);
    await expect.poll(() => keyring.currentEpoch().id.equals(old.id)).toBe(false);
    expect(keyring.epochKey(old.id)?.equals(old.key)).toBe(true);
    expect(keyring.pastEpochs()).toEqual([old.id.toString('hex')]);
  });

  it('survives the loss of either copy and mends it', async () => {
    using data = temporaryDirectory();
    const first = await open(data.path);
    for (const copy of ['keystore-a', 'keystore-b']) {
      writeFileSync(join(data.path, 'keys', copy), 'rubbish');
      const again = await open(data.path, { mayCreate: false });
      expect(again.boxId).toBe(first.boxId);
      expect(readFileSync(join(data.path, 'keys', copy)).length).toBeGreaterThan(100);
    }
  });

  it('uses the newer copy when a crash left them different', async () => {
    using data = temporaryDirectory();
    const clock = clockAt(1_000_000);
    const keyring = await open(data.path, { clock });
    const stale = join(data.path, 'stale');
    copyFileSync(join(data.path, 'keys', 'keystore-b'), stale);
    clock.advance(dayMs);
    keyring.currentEpoch();
    await expect.poll(() => keyring.pastEpochs().length).toBe(1);
    copyFileSync(stale, join(data.path, 'keys', 'keystore-b'));
    const again = await open(data.path, { clock });
    expect(again.currentEpoch().id.equals(keyring.currentEpoch().id)).toBe(true);
  });

  it('never makes new keys where there is data, and says which piece is missing', async () => {
    using data = temporaryDirectory();
    await expect(open(data.path, { mayCreate: false })).rejects.toMatchObject({ code: 'KEYS_MISSING' });
    await open(data.path);
    rmSync(join(data.path, 'keys', 'root.key'));
    await expect(open(data.path)).rejects.toMatchObject({ code: 'KEYS_ROOT_MISSING' });
    writeFileSync(join(data.path, 'keys', 'root.key'), Buffer.alloc(32));
    await expect(open(data.path)).rejects.toMatchObject({ code: 'KEYS_DAMAGED' });
  });

  it('forgets an epoch for good, and never the present one', async () => {
    using data = temporaryDirectory();
    const clock = clockAt(1_000_000);
    const keyring = await open(data.path, { clock });
    const old = keyring.currentEpoch();
    clock.advance(dayMs);
    keyring.currentEpoch();
    await expect.poll(() => keyring.pastEpochs().length).toBe(1);
    const present = keyring.currentEpoch().id.toString('hex');
    await keyring.forgetEpochs([old.id.toString('hex'), present]);
    expect(keyring.epochKey(old.id)).toBeNull();
    const again = await open(data.path, { clock });
    expect(again.epochKey(old.id)).toBeNull();
    expect(again.currentEpoch().id.toString('hex')).toBe(present);
  });

  it('keeps files of different purposes apart', async () => {
    using data = temporaryDirectory();
    const keyring = await open(data.path);
    const sealed = keyring.sealFile('receipt', Buffer.from('secret'));
    expect(keyring.openFile('receipt', sealed).toString()).toBe('secret');
    expect(() => keyring.openFile('tombstones', sealed)).toThrow(
      expect.objectContaining({ code: 'FILE_DAMAGED' }),
    );
  });
});
