import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, readFileSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { expect, test } from 'vitest';
import { patienceMs } from '../e2e/peers.ts';
import { temporaryDirectory } from '../fixtures/data-directory.ts';
import { executable } from '../fixtures/program.ts';

const root = join(import.meta.dirname, '..', '..');
const notCopied = new Set(['.git', 'node_modules', 'dist', 'coverage']);

test.skipIf(executable === null)(
  'the executable made in another folder has the same bytes',
  () => {
    using directory = temporaryDirectory();
    const copy = join(directory.path, 'elsewhere');
    cpSync(root, copy, { recursive: true, filter: (path) => !notCopied.has(basename(path)) });
    // As links where that can be: some hundred megabytes.
    execFileSync('sh', ['-c', 'cp -al "$1" "$2" || cp -a "$1" "$2"', 'sh', join(root, 'node_modules'), copy]);
    const file = executable?.at(-1) ?? '';
    const architecture = basename(file).replace('gantry-linux-', '');
    execFileSync('npm', ['run', '-s', 'package', '--', architecture], { cwd: copy, stdio: 'ignore' });
    expect(readdirSync(join(copy, 'dist'))).toContain(basename(file));
    expect(digest(join(copy, 'dist', basename(file)))).toBe(digest(file));
  },
  patienceMs,
);

function digest(file: string): string {
  return createHash('sha256').update(readFileSync(file)).digest('hex');
}
