import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { buildPackage, root } from '../../deploy/debian/build.ts';
import { checkConfigText } from '../../src/config/check.ts';
import { helperSocketPath } from '../../src/helper/verbs.ts';
import { temporaryDirectory } from '../fixtures/data-directory.ts';

const folder = join(root, 'deploy', 'debian');
const read = (name: string): string => readFileSync(join(folder, name), 'utf8');
const dpkg = spawnSync('dpkg-deb', ['--version']).status === 0;
if (!dpkg) process.stderr.write('SKIPPED: the Debian package needs dpkg-deb\n');

test.skipIf(!dpkg)(
  'the package holds what it should, for root alone to change, the same bytes each time',
  () => {
    using directory = temporaryDirectory();
    const executable = join(directory.path, 'gantry');
    writeFileSync(executable, '#!/bin/sh\n');
    const build = (output: string): string =>
      buildPackage({
        executable,
        architecture: 'amd64',
        output: join(directory.path, output),
        compression: 'gzip',
      });
    const path = build('one');
    expect(readFileSync(build('two')).equals(readFileSync(path))).toBe(true);
    const listed = execFileSync('dpkg-deb', ['--contents', path], { encoding: 'utf8' }).trim().split('\n');
    expect(listed.filter((line) => !/^[d-]rw[x-]r-[x-]r-[x-] root\/root /.test(line))).toEqual([]);
    const names = listed.map((line) => line.split(' ').at(-1));
    expect(names).toEqual(
      expect.arrayContaining([
        './etc/gantry/config.json',
        './lib/systemd/system/gantry.service',
        './lib/systemd/system/gantry-helper.socket',
        './usr/bin/gantry',
        './usr/lib/sysctl.d/90-gantry.conf',
        './usr/share/man/man1/gantry.1.gz',
      ]),
    );
    const control = execFileSync('dpkg-deb', ['--field', path], { encoding: 'utf8' });
    expect(control).toMatch(/^Package: gantry\nVersion: \d+\.\d+\.\d+\nArchitecture: amd64\n/);
  },
);

test('the settings of a new box are valid, and let nobody in', () => {
  const checked = checkConfigText(read('files/config.json'));
  expect(checked).toMatchObject({ ok: true, config: { intake: { unknownCallers: 'refuse' } } });
});

test('units agree with the program', () => {
  expect(read('units/gantry-helper.socket')).toContain(`ListenStream=${helperSocketPath}\n`);
  for (const unit of readdirSync(join(folder, 'units'))) {
    const text = read(`units/${unit}`);
    expect(text, unit).not.toContain('MemoryDenyWriteExecute=');
    if (unit.endsWith('.service')) expect(text, unit).toContain('NoNewPrivileges=yes');
  }
});

test('scripts are sound, and no script deletes images', () => {
  for (const script of readdirSync(join(folder, 'scripts'))) {
    expect(spawnSync('sh', ['-n', join(folder, 'scripts', script)]).status, script).toBe(0);
    expect(read(`scripts/${script}`), script).not.toMatch(/rm .*\/var\/lib\/gantry(?![\w-])/);
  }
});

test('each override of lintian has its reason', () => {
  // Overrides of one reason stand together below it.
  const lines = read('files/lintian-overrides').trim().split('\n');
  for (const [number, line] of lines.entries()) {
    if (!line.startsWith('#')) expect(line).toMatch(/^gantry: [a-z-]+ ./);
    if (number === 0) expect(line).toMatch(/^# ./);
  }
  const reasons = lines.filter(
    (line, number) => line.startsWith('#') && lines[number + 1]?.startsWith('gantry:'),
  );
  expect(reasons).toHaveLength(3);
});
