import { execFileSync } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { nodeDisk } from '../../src/base/disk.ts';
import { lockDataDirectory } from '../../src/spool/data-lock.ts';
import { LedgerDatabase } from '../../src/spool/ledger.ts';
import { gantry } from '../e2e/peers.ts';
import { filesBelow, type TemporaryDirectory, temporaryDirectory } from '../fixtures/data-directory.ts';
import { startGateway } from '../fixtures/gateway-process.ts';
import { command } from './command.ts';

const config = { destinations: { cloud: { type: 'stow', url: 'http://127.0.0.1:9/studies' } } };
const isRoot = process.getuid?.() === 0;
if (!isRoot) process.stderr.write('SKIPPED: the data directory of another user needs root\n');

let directory: TemporaryDirectory;
beforeAll(() => {
  directory = temporaryDirectory();
});
afterAll(() => directory[Symbol.dispose]());
const path = (name: string): string => join(directory.path, name);

describe('a data directory that cannot be used', () => {
  test('exit 2 and what to check, no stack', async () => {
    writeFileSync(path('file'), '');
    const { code, stdout, stderr } = await gantry('run', '--data', path('file'));
    expect(stderr).toMatch(/^DATA_UNUSABLE: This data directory cannot be used \(ENOTDIR\)\.\n.*--data.*\n$/);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  });

  test.each<[name: string, data: () => string, cause: RegExp]>([
    ['below a device', () => '/dev/null/x', /\(ENOTDIR\)/],
    ['in a file system that takes none', () => '/proc/gantry', /\(ENOENT\)/],
    ['one that takes no files', () => '/proc/self', /\((?:ENOENT|EACCES)\)/],
    [
      'a lock that is no file',
      () => (mkdirSync(path('taken/lock'), { recursive: true }), path('taken')),
      /\(EISDIR\)/,
    ],
  ])('%s: the cause comes from the system', async (_, data, cause) => {
    await expect(lockDataDirectory(nodeDisk, data())).rejects.toMatchObject({
      code: 'DATA_UNUSABLE',
      message: expect.stringMatching(cause) as string,
    });
  });

  test('a parent is made where it is missing, and only as far as it can be', async () => {
    const lock = await lockDataDirectory(nodeDisk, path('one/two/three'));
    lock.release();
    expect(existsSync(path('one/two/three/lock'))).toBe(true);
    await nodeDisk.makeDirectory(path('one/two'));
    await expect(nodeDisk.makeDirectory(path('file'))).rejects.toMatchObject({ code: 'EEXIST' });
    await expect(nodeDisk.makeDirectory(path('four/five'))).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

test('anything else that fails says so in words; where it failed only when asked', async () => {
  mkdirSync(path('broken'));
  // A folder of the data directory that is a file.
  writeFileSync(path('broken/keys'), '');
  writeFileSync(path('broken.json'), JSON.stringify(config));
  const runIt = () => gantry('run', '--data', path('broken'), '--config', path('broken.json'));
  const plain = await runIt();
  expect(plain.code).toBe(1);
  expect(plain.stderr).toMatch(/^INTERNAL: Gantry failed \(ENOTDIR\)\.\nENOTDIR: .*\n.*GANTRY_DEBUG=1/);
  expect(plain.stderr).not.toMatch(/^\s+at /m);

  process.env['GANTRY_DEBUG'] = '1';
  try {
    expect((await runIt()).stderr).toMatch(/^\s+at /m);
  } finally {
    delete process.env['GANTRY_DEBUG'];
  }
});

describe('commands on a path where no gateway ever ran', () => {
  const noData = {
    code: 2,
    stdout: '',
    stderr: expect.stringMatching(
      /^DATA_NONE: There is no gateway's data in this directory\.\nCheck --data/,
    ) as string,
  };

  test.each([['queue', 'ls'], ['scrub'], ['receipts', 'ls'], ['rebuild-ledger']])(
    '%s %s: nothing is made there',
    async (...args) => {
      expect(await command(...args, '--data', path('mistyped'))).toEqual(noData);
      expect(existsSync(path('mistyped'))).toBe(false);
    },
  );

  test('nor in a directory of something else, nor where a file is', async () => {
    mkdirSync(path('other'));
    writeFileSync(path('other/notes'), '');
    expect(await command('queue', 'ls', '--data', path('other'))).toEqual(noData);
    expect(await command('queue', 'ls', '--data', path('other/notes'))).toEqual(noData);
    expect(filesBelow(path('other'))).toEqual([path('other/notes')]);
    const { stderr } = await command('status', '--data', path('other/notes'));
    expect(stderr).toContain('CONTROL_NOT_RUNNING');
  });
});

test('run on a mistyped path: said at once, and nothing is made there', async () => {
  const { code, stderr } = await gantry('run', '--data', path('mistyped/too'));
  expect(stderr).toMatch(/^CONFIG_MISSING: .*\n.*check the path given with --data/);
  expect(code).toBe(2);
  expect(existsSync(path('mistyped'))).toBe(false);
});

describe('the data directory of a gateway', () => {
  const data = () => path('data');

  test('in use: who has it, and how to stop it', async () => {
    const gateway = await startGateway(data(), config);
    const second = await gantry('run', '--data', data());
    expect(second.code).toBe(2);
    expect(second.stderr).toMatch(/^DATA_LOCKED: This data directory is in use by process \d+ on /);
    expect(second.stderr).toContain(`Stop that gateway first (kill ${gateway.process.pid})`);
    expect(await gateway.stop()).toBe(0);
    expect(await command('queue', 'ls', '--data', data())).toMatchObject({ code: 0, stderr: '' });
  });

  test.skipIf(!isRoot)('of another user: nothing is touched', async () => {
    for (const file of [data(), ...filesBelow(data())]) chownSync(file, 65_534, 65_534);
    const before = listing(data());
    for (const args of [['queue', 'ls'], ['receipts', 'ls'], ['scrub'], ['rebuild-ledger']]) {
      const { code, stderr } = await command(...args, '--data', data());
      expect(stderr).toMatch(/^DATA_OTHER_OWNER: This data directory belongs to user 65534/);
      expect(stderr).toContain("sudo -u '#65534' gantry");
      expect(code).toBe(2);
    }
    expect(listing(data())).toBe(before);
  });
});

test('a ledger that may not be opened is not called full or in use', () => {
  const ledger = path('ledger.db');
  mkdirSync(ledger);
  expect(() => LedgerDatabase.open(ledger)).toThrow(
    expect.objectContaining({
      code: 'LEDGER_UNAVAILABLE',
      message: expect.stringMatching(/this user may not/) as string,
      nextStep: expect.stringMatching(/the user the gateway runs as/) as string,
    }) as Error,
  );
  rmSync(ledger, { recursive: true });
});

/** Names, owners and times of everything in a directory. */
function listing(folder: string): string {
  return execFileSync('find', [folder, '-printf', '%p %u %s %T@\n'], { encoding: 'utf8' });
}
