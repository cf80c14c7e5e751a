import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { root } from '../../deploy/debian/build.ts';
import { checkConfigText } from '../../src/config/check.ts';
import { temporaryDirectory } from '../fixtures/data-directory.ts';
import { machineBase, machineFault } from '../fixtures/machine.ts';

const folder = join(root, 'deploy', 'container');
const executable = join(root, 'dist', 'gantry-linux-x64');
const asked = process.env['GANTRY_APPLIANCE'] !== undefined;
const buildah = spawnSync('buildah', ['--version']).status === 0;
const fault = machineFault() ?? (buildah ? null : 'buildah') ?? (existsSync(executable) ? null : executable);
const runs = asked && fault === null;
if (asked && fault !== null) throw new Error(`npm run test:appliance needs ${fault}`);
if (!asked) process.stderr.write('SKIPPED: the container, built and run: npm run test:appliance\n');

interface Compose {
  readonly services: Readonly<Record<string, Record<string, unknown> | undefined>>;
}

test('compose gives the gateway no more than it needs, and settings that are valid', () => {
  const { services } = parse(readFileSync(join(folder, 'compose.yaml'), 'utf8')) as Compose;
  expect(services['gantry']).toMatchObject({
    read_only: true,
    cap_drop: ['ALL'],
    security_opt: ['no-new-privileges:true'],
    build: { dockerfile: '../deploy/container/Containerfile' },
  });
  const checked = checkConfigText(readFileSync(join(folder, 'config.json'), 'utf8'));
  expect(checked).toMatchObject({
    ok: true,
    config: { destinations: { orthanc: { url: 'http://orthanc:8042/dicom-web/studies' } } },
  });
  expect(Object.keys(services)).toContain('orthanc');
});

describe.skipIf(!runs)('the container', { timeout: 300_000 }, () => {
  test('is built, runs as nobody of importance, is found healthy and writes only to its volume', async () => {
    using directory = temporaryDirectory();
    const path = (name: string): string => join(directory.path, name);
    const store = ['--storage-driver', 'vfs', '--root', path('root'), '--runroot', path('run')];
    const env = { ...process.env, BUILDAH_ISOLATION: 'chroot' };
    const run = (...args: string[]): string =>
      execFileSync('buildah', [...store, ...args], {
        env,
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      }).trim();
    // No registry is asked: the base is a Debian 12 made here.
    mkdirSync(path('base'));
    execFileSync('tar', ['-C', machineBase(), '-cf', path('base/files.tar'), '.']);
    writeFileSync(path('Base'), 'FROM scratch\nADD files.tar /\n');
    run('bud', '--quiet', '--tag', 'localhost/base', '--file', path('Base'), path('base'));
    const file = ['--format', 'docker', '--file', join(folder, 'Containerfile')];
    run(
      'bud',
      '--quiet',
      ...file,
      '--build-arg',
      'BASE=localhost/base',
      '--tag',
      'localhost/gantry',
      join(root, 'dist'),
    );
    const image = JSON.parse(run('inspect', '--type', 'image', 'localhost/gantry')) as {
      Docker: {
        config: { User: string; Healthcheck: { Test: string[] }; Entrypoint: string[]; Cmd: string[] };
      };
    };
    const { User, Healthcheck, Entrypoint, Cmd } = image.Docker.config;
    expect(User).toBe('911:911');
    expect(Healthcheck.Test).toEqual(['CMD', 'gantry', 'self-check']);

    const container = run('from', 'localhost/gantry');
    const files = run('mount', container);
    mkdirSync(join(files, 'etc/gantry'));
    const config = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8')) as object;
    const ports = {
      intake: { port: 0, host: '127.0.0.1' },
      web: { port: 0, host: '127.0.0.1', https: null },
    };
    writeFileSync(join(files, 'etc/gantry/config.json'), JSON.stringify({ ...config, ...ports }));
    writeFileSync(path('before'), '');
    const gateway = spawn('buildah', [...store, 'run', container, '--', ...Entrypoint, ...Cmd], {
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await said(gateway, '"event":"ready"');
    expect(run('run', container, '--', ...Healthcheck.Test.slice(1))).toMatch(/association +ok/);
    expect(run('run', container, '--', 'id', '-u')).toBe('911');
    const ended = once(gateway, 'exit');
    process.kill(gatewayBelow(gateway.pid ?? 0), 'SIGTERM');
    await ended;
    const written = execFileSync('find', [files, '-xdev', '-type', 'f', '-newer', path('before')], {
      encoding: 'utf8',
    });
    const outside = written
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith(`${files}/var/lib/gantry/`));
    expect(
      outside.filter((line) => !/\/(?:proc|sys|dev|run|etc\/(?:hosts|resolv\.conf|hostname))/.test(line)),
    ).toEqual([]);
    run('rm', container);
  });
});

/** The program itself, behind those that prepare its container. */
function gatewayBelow(pid: number): number {
  if (readlinkSync(`/proc/${pid}/exe`).endsWith('/usr/bin/gantry')) return pid;
  const [child = ''] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
  if (child === '') throw new Error('no gateway runs in the container');
  return gatewayBelow(Number(child));
}

/** Resolves once a line of its output has the words. */
async function said(child: ChildProcess, words: string): Promise<void> {
  const { stdout } = child;
  if (stdout === null) throw new Error('it has no output');
  for await (const line of createInterface({ input: stdout })) if (line.includes(words)) return;
  throw new Error(`it ended without ${words}`);
}
