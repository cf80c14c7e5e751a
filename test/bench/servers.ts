import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { GantryError } from '../../src/base/errors.ts';
import { DimseSender } from '../../src/demo/dimse-sender.ts';
import { program } from '../fixtures/program.ts';
import type { LoadTarget } from './load.ts';
import { contextOf } from './objects.ts';

/** A receiver under measurement, in its own process and directory. */
export interface RunningServer {
  readonly name: ServerName;
  readonly pid: number;
  readonly target: LoadTarget;
  /** Gantry's own status report. */
  readonly statusUrl?: string;
  /** Removes what a run left behind, where the server allows that. */
  tidy(): Promise<void>;
  stop(): Promise<void>;
}

export const serverNames = [
  'gantry',
  'ceiling',
  'ceiling recycled',
  'storescp tuned',
  'Orthanc tuned',
  'storescp shipped',
  'Orthanc shipped',
] as const;
export type ServerName = (typeof serverNames)[number];

/** Longer than Gantry waits before it prepares anything, and between two segments. */
const quietMs = 4000;

const programs = { storescp: '/usr/bin/storescp', Orthanc: '/usr/sbin/Orthanc' } as const;

/** Why a server cannot take part here, or null. */
export function missing(name: ServerName): string | null {
  if (name.startsWith('storescp') && !existsSync(programs.storescp)) return 'DCMTK is not installed';
  if (name.startsWith('Orthanc') && !existsSync(programs.Orthanc)) return 'Orthanc is not installed';
  return null;
}

export interface StartOptions {
  readonly directory: string;
  /** Where Gantry forwards; an address that refuses connections where it is only to keep. */
  readonly archiveUrl: string;
  /** Space that Gantry writes in advance, in idle moments; it gets these before each of its runs. */
  readonly preparedBytes?: number;
  /** How long it may take until Gantry is ready. */
  readonly patienceMs?: number;
  /** Called with Gantry's process id before it is ready. */
  readonly spawned?: (pid: number) => void;
}

export async function startServer(name: ServerName, options: StartOptions): Promise<RunningServer> {
  const directory = join(options.directory, name.replace(' ', '-'));
  await mkdir(directory, { recursive: true });
  if (name === 'gantry') return startGantry(directory, options);
  if (name === 'ceiling' || name === 'ceiling recycled') return startCeiling(name, directory);
  return name.startsWith('storescp') ? startStorescp(name, directory) : startOrthanc(name, directory);
}

async function startGantry(
  directory: string,
  { archiveUrl, preparedBytes = 0, patienceMs, spawned }: StartOptions,
): Promise<RunningServer> {
  const configFile = join(directory, 'bench.json');
  const port = await freePort();
  const webPort = await freePort();
  await writeFile(configFile, JSON.stringify(gantryConfig(port, webPort, { archiveUrl, preparedBytes })));
  const data = join(directory, 'data');
  const [command, ...before] = program();
  const child = spawn(command, [...before, 'run', '--data', data, '--config', configFile], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  spawned?.(pidOf(child));
  await lineMatching(child, (line) => line.includes('"event":"ready"'), patienceMs);
  return {
    ...running('gantry', child, { port, calledAeTitle: 'GANTRY' }),
    statusUrl: `http://127.0.0.1:${webPort}/api/v1/status`,
    tidy: () => (preparedBytes > 0 ? untilQuiet(join(data, 'spool', 'segments')) : Promise.resolve()),
  };
}

/** Resolves once nothing was written to a directory for a while. */
async function untilQuiet(directory: string): Promise<void> {
  let before = -1;
  for (;;) {
    const names = await readdir(directory);
    const sizes = await Promise.all(names.map(async (name) => (await stat(join(directory, name))).size));
    const bytes = sizes.reduce((sum, size) => sum + size, 0);
    if (bytes === before) return;
    before = bytes;
    await sleep(quietMs);
  }
}

function gantryConfig(
  port: number,
  webPort: number,
  { archiveUrl, preparedBytes }: { archiveUrl: string; preparedBytes: number },
): object {
  return {
    site: { name: 'Bench' },
    intake: { host: '127.0.0.1', port, unknownCallers: 'accept' },
    spool: { reserveBytes: 1_000_000_000, preparedBytes },
    destinations: { archive: { type: 'stow', url: archiveUrl } },
    web: { host: '127.0.0.1', port: webPort },
  };
}

async function startCeiling(name: 'ceiling' | 'ceiling recycled', directory: string): Promise<RunningServer> {
  const form = name === 'ceiling' ? 'files' : 'recycled';
  const child = spawn(process.execPath, [join(import.meta.dirname, 'ceiling.ts'), directory, form], {
    stdio: ['ignore', 'pipe', 'inherit'],
    // As many calls may wait for the disk as in the gateway.
    env: { ...process.env, UV_THREADPOOL_SIZE: '16' },
  });
  const { port } = JSON.parse(await lineMatching(child, () => true)) as { port: number };
  return {
    ...running(name, child, { port, calledAeTitle: 'CEILING' }),
    tidy: () => emptyDirectory(join(directory, 'objects')),
  };
}

async function startStorescp(name: ServerName, directory: string): Promise<RunningServer> {
  const port = await freePort();
  // A process for each association: without it a second one waits for the first.
  const child = spawn(programs.storescp, ['--fork', '+B', '-od', directory, String(port)], {
    stdio: 'ignore',
    env: environment(name),
  });
  await untilItAnswers(port);
  return {
    ...running(name, child, { port, calledAeTitle: 'STORESCP' }),
    tidy: () => emptyDirectory(directory),
  };
}

async function startOrthanc(name: ServerName, directory: string): Promise<RunningServer> {
  const port = await freePort();
  const configFile = join(directory, 'orthanc.json');
  await writeFile(
    configFile,
    JSON.stringify({
      StorageDirectory: join(directory, 'storage'),
      IndexDirectory: join(directory, 'index'),
      HttpServerEnabled: false,
      DicomPort: port,
      DicomAet: 'ORTHANC',
      UnknownSopClassAccepted: true,
      AuthenticationEnabled: false,
    }),
  );
  const child = spawn(programs.Orthanc, [configFile], { stdio: 'ignore', env: environment(name) });
  await untilItAnswers(port);
  return { ...running(name, child, { port, calledAeTitle: 'ORTHANC' }), tidy: () => Promise.resolve() };
}

/** Shipped: as the package is started. Tuned: without Nagle's algorithm, which costs DCMTK 40 ms per object. */
function environment(name: ServerName): NodeJS.ProcessEnv {
  const { TCP_NODELAY: _, ...rest } = process.env;
  return name.endsWith('tuned') ? { ...rest, TCP_NODELAY: '1' } : rest;
}

function running(name: ServerName, child: ChildProcess, target: LoadTarget): Omit<RunningServer, 'tidy'> {
  return { name, pid: pidOf(child), target, stop: () => stopChild(child) };
}

export function pidOf(child: ChildProcess): number {
  if (child.pid === undefined) throw new Error(`${child.spawnfile} did not start`);
  return child.pid;
}

/** SIGTERM, and SIGKILL for one that does not mind it. */
export async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 10_000);
  await ended;
  clearTimeout(timer);
}

const startMs = 30_000;

/** The sandbox archive, in its own process. */
export async function startArchive(directory: string): Promise<{ url: string; stop(): Promise<void> }> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'archive.ts'), directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const { url } = JSON.parse(await lineMatching(child, () => true)) as { url: string };
  return { url, stop: () => stopChild(child) };
}

/** The first line of its output that matches; what follows is read and dropped. */
export async function lineMatching(
  child: ChildProcess,
  matches: (line: string) => boolean,
  patienceMs: number = startMs,
): Promise<string> {
  if (child.stdout === null) throw new Error('the output of the child is not piped');
  const lines = createInterface({ input: child.stdout });
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  lines.on('line', (line) => {
    if (matches(line)) resolve(line);
  });
  child.once('exit', (code) => reject(new Error(`${child.spawnargs.join(' ')} ended with ${code}`)));
  const timer = setTimeout(() => reject(new Error(`${child.spawnargs.join(' ')} is not ready`)), patienceMs);
  return promise.finally(() => clearTimeout(timer));
}

async function untilItAnswers(port: number): Promise<void> {
  const until = performance.now() + startMs;
  for (;;) {
    try {
      const sender = await DimseSender.connect({
        host: '127.0.0.1',
        port,
        callingAeTitle: 'BENCH',
        calledAeTitle: 'PEER',
        contexts: [contextOf('ct')],
      });
      return await sender.release();
    } catch (error) {
      if (!(error instanceof GantryError) || performance.now() > until) throw error;
      await sleep(50);
    }
  }
}

/** A port nobody uses now; for servers that cannot choose one themselves. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (typeof address !== 'object' || address === null) throw new Error('no port');
  return address.port;
}

async function emptyDirectory(directory: string): Promise<void> {
  for (const name of await readdir(directory)) await rm(join(directory, name), { recursive: true });
}
