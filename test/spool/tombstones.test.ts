import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { nodeDisk } from '../../src/base/disk.ts';
import { silentLog } from '../../src/base/log.ts';
import { Keyring } from '../../src/crypto/keyring.ts';
import type { Tombstone } from '../../src/spool/ledger-instances.ts';
import { Tombstones } from '../../src/spool/tombstones.ts';
import type { ObjectId, UidKey } from '../../src/spool/types.ts';
import { temporaryDirectory } from '../fixtures/data-directory.ts';
import { FaultyDisk } from '../fault/faulty-disk.ts';
import { ManualClock } from '../fixtures/manual-clock.ts';

function tombstone(n: number): Tombstone {
  const name = n.toString(16).padStart(32, '0');
  return {
    objectId: name as ObjectId,
    uidKey: name as UidKey,
    digest: name,
    transferSyntax: '1.2.840.10008.1.2.1',
    verifiedAt: n,
    bytes: n,
  };
}

async function setUp(path: string) {
  const clock = new ManualClock();
  const keys = { directory: join(path, 'keys'), clock, log: silentLog, mayCreate: true };
  const keyring = await Keyring.open({ disk: nodeDisk, ...keys });
  const disk = new FaultyDisk(nodeDisk);
  const directory = join(path, 'tombstones');
  const tombstones = new Tombstones(disk, directory, keyring);
  const numbers = async (): Promise<number[]> => {
    const found: number[] = [];
    for await (const some of tombstones.read(silentLog)) found.push(...some.map(({ bytes }) => bytes));
    return [...new Set(found)].toSorted((a, b) => a - b);
  };
  return { clock, disk, directory, tombstones, numbers };
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

it('are merged once there are more than 200 files, and none is lost', async () => {
  using data = temporaryDirectory();
  const { clock, directory, tombstones, numbers } = await setUp(data.path);
  for (let file = 0; file < 200; file += 1) {
    await tombstones.write([tombstone(file * 2), tombstone(file * 2 + 1)], clock.now());
  }
  await tombstones.merge(silentLog, clock.now());
  expect(readdirSync(directory)).toHaveLength(200);
  await tombstones.write([tombstone(400)], clock.now());
  await tombstones.merge(silentLog, clock.now());
  expect(readdirSync(directory)).toHaveLength(1);
  expect(await numbers()).toEqual(upTo(401));
});

it('a damaged file is neither merged nor deleted, and takes nothing with it', async () => {
  using data = temporaryDirectory();
  const { clock, directory, tombstones, numbers } = await setUp(data.path);
  for (let file = 0; file < 202; file += 1) await tombstones.write([tombstone(file)], clock.now());
  const [damaged = ''] = readdirSync(directory);
  const bytes = readFileSync(join(directory, damaged));
  bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
  writeFileSync(join(directory, damaged), bytes);
  await tombstones.merge(silentLog, clock.now());
  expect(readdirSync(directory)).toHaveLength(2);
  expect(readdirSync(directory)).toContain(damaged);
  expect(await numbers()).toHaveLength(201);
});

it.each(['reading', 'writing', 'deleting'])('a disk that fails while %s loses none', async (when) => {
  using data = temporaryDirectory();
  const { clock, disk, directory, tombstones, numbers } = await setUp(data.path);
  for (let file = 0; file < 201; file += 1) await tombstones.write([tombstone(file)], clock.now());
  disk.failAt(null);
  await numbers();
  const reads = disk.calls;
  // Deleting a file is one call.
  const at = { reading: reads / 2, writing: reads + 1, deleting: reads + 100 }[when] ?? 0;
  disk.failAt({ at: Math.round(at), code: 'EIO', lasting: true });
  await tombstones.merge(silentLog, clock.now()).catch(() => undefined);
  expect(disk.failed).toBeGreaterThan(0);
  disk.failAt(null);
  expect(await numbers()).toEqual(upTo(201));
  await tombstones.merge(silentLog, clock.now());
  expect(await numbers()).toEqual(upTo(201));
  expect(readdirSync(directory).length).toBeLessThanOrEqual(200);
});
