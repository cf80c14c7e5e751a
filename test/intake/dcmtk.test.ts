import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { part10Header } from '../../src/dicom/part10.ts';
import { ctSlice, type MadeInstance, usMultiframe } from '../fixtures/dicom-objects.ts';
import { startIntake } from './intake-harness.ts';

const present = ['storescu', 'echoscu'].every((tool) => spawnSync('which', [tool]).status === 0);
if (!present) process.stderr.write('SKIPPED: test/intake/dcmtk.test.ts needs DCMTK (storescu, echoscu)\n');

let directory = '';
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'gantry-dcmtk-'));
});
afterAll(() => rm(directory, { recursive: true }));

async function file(name: string, instance: MadeInstance): Promise<string> {
  const path = join(directory, name);
  await writeFile(path, Buffer.concat([part10Header(instance), instance.dataSet]));
  return path;
}

/** Runs a DCMTK tool; resolves with its exit code and all it printed. */
async function run(tool: string, args: readonly string[]): Promise<{ code: number | null; output: string }> {
  const child = spawn(tool, args, { env: { ...process.env, TCP_NODELAY: '1' } });
  let output = '';
  child.stdout.on('data', (bytes: Buffer) => (output += bytes.toString()));
  child.stderr.on('data', (bytes: Buffer) => (output += bytes.toString()));
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  return { code, output };
}

test.runIf(present)('echoscu is answered', async () => {
  const { port, listener } = await startIntake();
  const args = ['-v', '-aet', 'CT1', '-aec', 'GANTRY', '--repeat', '3', '127.0.0.1', String(port)];
  const { code, output } = await run('echoscu', args);
  expect(code, output).toBe(0);
  expect(listener.stats().echoes).toBe(3);
});

test.runIf(present)('storescu stores, native and encapsulated, with any PDU size', async () => {
  const { port, spool } = await startIntake();
  const instances = [
    ctSlice({ rows: 512, columns: 512, seed: 1 }),
    ctSlice({ rows: 128, columns: 128, seed: 2, encoding: 'implicit-le' }),
    usMultiframe({ rows: 64, columns: 64, frames: 12, seed: 3 }),
  ];
  const paths = await Promise.all(instances.map((instance, index) => file(`${index}.dcm`, instance)));
  const common = ['-aet', 'CT1', '-aec', 'GANTRY', '-v', '127.0.0.1', String(port)];
  for (const pdu of ['4096', '131072']) {
    const native = await run('storescu', ['-xe', '-pdu', pdu, ...common, paths[0] ?? '', paths[1] ?? '']);
    expect(native.code, native.output).toBe(0);
    const encapsulated = await run('storescu', ['-xy', '-pdu', pdu, ...common, paths[2] ?? '']);
    expect(encapsulated.code, encapsulated.output).toBe(0);
  }
  expect(spool.objects.map(({ state }) => state)).toEqual(Array(6).fill('committed'));
  expect(spool.objects.map(({ facts }) => facts.SOPInstanceUID)).toEqual(
    [0, 1, 2, 0, 1, 2].map((index) => instances[index]?.SOPInstanceUID),
  );
  expect(spool.dataSet(0).equals(instances[0]?.dataSet ?? Buffer.alloc(0))).toBe(true);
  expect(spool.dataSet(2).equals(instances[2]?.dataSet ?? Buffer.alloc(0))).toBe(true);
});

test.runIf(present)('storescu shows why it was refused', async () => {
  const { port, spool } = await startIntake();
  const path = await file('refused.dcm', ctSlice({ rows: 16, columns: 16, seed: 4 }));
  const to = ['127.0.0.1', String(port), path];
  const stranger = await run('storescu', ['-aet', 'NOBODY', '-aec', 'GANTRY', ...to]);
  expect(stranger.output).toContain('Calling AE Title Not Recognized');
  const wrongName = await run('storescu', ['-aet', 'CT1', '-aec', 'PACS', ...to]);
  expect(wrongName.output).toContain('Called AE Title Not Recognized');
  spool.onCommit = () => Promise.reject(new Error('broken'));
  const failing = await run('storescu', ['-v', '-aet', 'CT1', '-aec', 'GANTRY', ...to]);
  expect(failing.output).toMatch(/Received Store Response \(.*0x0?110\)/);
});

const corpus = new URL('../../../shared/corpus/ct/', import.meta.url).pathname;
if (!existsSync(corpus)) process.stderr.write('SKIPPED: the corpus part of test/intake/dcmtk.test.ts\n');

test.runIf(present && existsSync(corpus))('real scanner files are stored', async () => {
  const { port, spool } = await startIntake();
  const args = [
    '+sd',
    '-aet',
    'CT1',
    '-aec',
    'GANTRY',
    '127.0.0.1',
    String(port),
    join(corpus, 'series-phantom'),
  ];
  const { code, output } = await run('storescu', args);
  expect(code, output).toBe(0);
  expect(spool.objects.length).toBeGreaterThan(5);
  expect(spool.objects.every(({ state }) => state === 'committed')).toBe(true);
});
