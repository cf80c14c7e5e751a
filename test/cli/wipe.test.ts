import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { patienceMs } from '../e2e/peers.ts';
import { storeAll } from '../e2e/store-all.ts';
import { temporaryDirectory } from '../fixtures/data-directory.ts';
import { ctSlice } from '../fixtures/dicom-objects.ts';
import { type GatewayProcess, startGateway } from '../fixtures/gateway-process.ts';
import { program } from '../fixtures/program.ts';

const config = { destinations: { cloud: { type: 'stow', url: 'http://127.0.0.1:9/studies' } } };

/** @param typed what somebody types, line by line */
function wipe(data: string, ...typed: string[]) {
  const input = typed.map((line) => `${line}\n`).join('');
  const [command, ...before] = program();
  const { status, stdout, stderr } = spawnSync(command, [...before, 'wipe', '--data', data], {
    input,
    encoding: 'utf8',
  });
  return { code: status, stdout, stderr };
}

test('what is at no archive is asked for twice; then all of it goes, keys first', {
  timeout: patienceMs,
}, async () => {
  using directory = temporaryDirectory();
  const data = join(directory.path, 'data');
  const gateway: GatewayProcess = await startGateway(data, config);
  await storeAll(
    gateway.dicomPort,
    [1, 2].map((seed) => ctSlice({ rows: 16, columns: 16, seed })),
  );
  expect(wipe(data, 'WIPE', '2')).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/^DATA_LOCKED/) as string,
  });
  expect(await gateway.stop()).toBe(0);
  for (const typed of [[], ['WIPE'], ['WIPE', '1']]) {
    expect(wipe(data, ...typed)).toMatchObject({ code: 1, stdout: 'Nothing was deleted.\n' });
  }
  expect(existsSync(join(data, 'keys', 'root.key'))).toBe(true);
  writeFileSync(join(data, 'notes'), '');
  const { code, stdout, stderr } = wipe(data, 'WIPE', '2');
  expect(stderr).toContain('2 images are NOT proven to be at their archive');
  expect(stdout).toContain('Not of a gateway, and still there: notes');
  expect(code).toBe(0);
  expect(readdirSync(data).filter((name) => !name.startsWith('lock'))).toEqual(['notes']);
  expect(wipe(data, 'WIPE').stderr).toMatch(/^DATA_NONE/);
});

test('what cannot be opened can be wiped too, and is said to be unknown', {
  timeout: patienceMs,
}, async () => {
  using directory = temporaryDirectory();
  const data = join(directory.path, 'data');
  const gateway = await startGateway(data, config);
  await gateway.stop();
  expect(wipe(data, 'no').stderr).not.toContain('NOT proven');
  rmSync(join(data, 'keys'), { recursive: true });
  expect(wipe(data, 'WIPE', '').code).toBe(1);
  expect(wipe(data, 'WIPE', 'UNKNOWN')).toMatchObject({ code: 0 });
  expect(existsSync(join(data, 'spool'))).toBe(false);
});

test('another directory is left alone', () => {
  using directory = temporaryDirectory();
  mkdirSync(join(directory.path, 'spool'));
  expect(wipe(directory.path, 'WIPE')).toMatchObject({ code: 2 });
  expect(existsSync(join(directory.path, 'spool'))).toBe(true);
});
