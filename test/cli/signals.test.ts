import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type TemporaryDirectory, temporaryDirectory } from '../fixtures/data-directory.ts';
import { executable, program } from '../fixtures/program.ts';

const root = join(import.meta.dirname, '..', '..');
let directory: TemporaryDirectory;
let configFile = '';

beforeAll(() => {
  directory = temporaryDirectory();
  configFile = join(directory.path, 'config.json');
  const config = {
    intake: { host: '127.0.0.1', port: 0 },
    web: { host: '127.0.0.1', port: 0 },
    spool: { reserveBytes: 50_000_000 },
    destinations: { cloud: { type: 'stow', url: 'http://127.0.0.1:9/studies' } },
  };
  writeFileSync(configFile, JSON.stringify(config));
});
afterAll(() => directory[Symbol.dispose]());

interface Started {
  readonly pid: number;
  readonly lines: string[];
  /** Resolves once a line of standard output has the words. */
  readonly said: (words: string) => Promise<void>;
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  readonly signal: (name: NodeJS.Signals) => void;
}

/** Starts a program in a process group of its own, which ends with the test. */
function start([command, ...args]: readonly [string, ...string[]], cwd = root): Started {
  const child = spawn(command, args, { cwd, detached: true, stdio: ['ignore', 'pipe', 'inherit'] });
  const pid = child.pid ?? 0;
  const lines: string[] = [];
  const output = createInterface({ input: child.stdout });
  output.on('line', (line) => lines.push(line));
  const ended = once(child, 'exit').then(([code, signal]) => ({
    code: code as number | null,
    signal: signal as NodeJS.Signals | null,
  }));
  running.push(pid);
  return {
    pid,
    lines,
    said: async (words) => {
      while (!lines.some((line) => line.includes(words))) {
        const line = await Promise.race([once(output, 'line'), once(output, 'close').then(() => null)]);
        if (line === null) throw new Error(`it ended without "${words}":\n${lines.join('\n')}`);
      }
    },
    ended,
    signal: (name) => process.kill(pid, name),
  };
}

const running: number[] = [];
afterAll(() => {
  for (const pid of running) {
    try {
      process.kill(-pid, 'SIGKILL');
    } catch {
      // It has ended by itself.
    }
  }
});

test('a configuration is needed once: the next start goes without', async () => {
  const data = join(directory.path, 'twice');
  for (const options of [['--config', configFile], []]) {
    const gateway = start([...program(), 'run', '--data', data, ...options]);
    await gateway.said('"event":"ready"');
    gateway.signal('SIGTERM');
    expect(await gateway.ended).toEqual({ code: 0, signal: null });
  }
});

test('npm passes SIGTERM on to the gateway, and ends as it does', async () => {
  // The scripts as they are, on a page that is built already.
  const folder = join(directory.path, 'checkout');
  mkdirSync(folder);
  for (const name of ['src', 'node_modules']) symlinkSync(join(root, name), join(folder, name));
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: object };
  const own = { name: 'gantry', type: 'module', scripts: { ...scripts, 'build:ui': 'true' } };
  writeFileSync(join(folder, 'package.json'), JSON.stringify(own));

  const options = ['run', '--data', join(directory.path, 'by-npm'), '--config', configFile];
  const npm = start(['npm', 'run', '-s', 'gantry', '--', ...options], folder);
  await npm.said('"event":"ready"');
  npm.signal('SIGTERM');
  expect(await npm.ended).toEqual({ code: 0, signal: null });
  expect(npm.lines.at(-1)).toContain('"event":"stopped"');
  expect(Object.values(scripts).filter((script) => /&& node src\/main\.ts/.test(String(script)))).toEqual([]);
});

test('a signal while it starts ends the process, even one that hangs', async () => {
  const data = join(directory.path, 'hanging');
  mkdirSync(join(data, 'config'), { recursive: true });
  // Nobody ever writes into it: reading the stored configuration takes for ever.
  execFileSync('mkfifo', [join(data, 'config', 'config')]);
  const gateway = start([...program(), 'run', '--data', data]);
  await until(() => existsSync(join(data, 'keys')));
  gateway.signal('SIGTERM');
  expect(await gateway.ended).toEqual({ code: null, signal: 'SIGTERM' });
});

test('Ctrl-C through npm comes twice: that is one request to stop', async () => {
  const data = join(directory.path, 'interrupted');
  const gateway = start([...program(), 'run', '--data', data, '--config', configFile]);
  await gateway.said('"event":"ready"');
  gateway.signal('SIGINT');
  await gateway.said('"event":"stopping"');
  gateway.signal('SIGINT');
  expect(await gateway.ended).toEqual({ code: 0, signal: null });
});

// The executable loads no thrower.
test.skipIf(executable !== null)(
  'what nobody foresaw is logged, without UIDs, and ends the process with 1',
  async () => {
    const thrower = join(directory.path, 'thrower.mjs');
    writeFileSync(
      thrower,
      "process.on('SIGUSR2', () => { throw new TypeError('no place for 1.2.840.113619.2.55.3'); });",
    );
    const data = join(directory.path, 'unforeseen');
    const gateway = start([...program('--import', thrower), 'run', '--data', data, '--config', configFile]);
    await gateway.said('"event":"ready"');
    gateway.signal('SIGUSR2');
    expect(await gateway.ended).toEqual({ code: 1, signal: null });
    expect(JSON.parse(gateway.lines.at(-1) ?? '')).toMatchObject({
      level: 'error',
      code: 'UNCAUGHT',
      error: { name: 'TypeError', message: 'no place for [uid]' },
    });
  },
);

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 20));
}
