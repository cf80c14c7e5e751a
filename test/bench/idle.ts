import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { cpuSeconds, rssBytes } from './process-stats.ts';
import { freePort, startServer } from './servers.ts';

/**
 * What a gateway takes up while nothing happens, beside a bare Node that does nothing: its floor, and how long it
 * takes to accept associations. The gateway is started twice and the second start is measured: the first one of a
 * new version compiles the sources. With GANTRY_BIN, the executable is measured.
 */

const usage = `npm run bench -- idle [options]
  --settle 20         seconds from the start to the measurement
  --seconds 30        of the measurement`;

const goalRssMiB = 120;
const goalCpuPercent = 1;
const mebibyte = 2 ** 20;

interface Idle {
  readonly rssMiB: number;
  /** The part of it that no other process shares, and its share of the rest; null where the kernel does not say. */
  readonly pssMiB: number | null;
  readonly cpuPercent: number;
}

export async function benchIdle(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      settle: { type: 'string', default: '20' },
      seconds: { type: 'string', default: '30' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return console.log(usage);
  const times = { settleMs: Number(values.settle) * 1000, measureMs: Number(values.seconds) * 1000 };
  const floor = await measureFloor(times);
  const gantry = await measureGantry(times);
  console.log(`bare Node  ${words(floor)}`);
  console.log(
    `Gantry     ready after ${(gantry.readyMs / 1000).toFixed(2)} s, ${words(gantry)} (goal: at most ${goalRssMiB} MiB, under ${goalCpuPercent} %)`,
  );
  console.log(JSON.stringify({ bench: 'idle', ...times, floor, gantry }));
}

interface Times {
  readonly settleMs: number;
  readonly measureMs: number;
}

async function measureFloor(times: Times): Promise<Idle> {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e9)'], { stdio: 'ignore' });
  try {
    return await measure(pidOf(child), times);
  } finally {
    child.kill('SIGKILL');
  }
}

async function measureGantry(times: Times): Promise<Idle & { readyMs: number }> {
  const directory = await mkdtemp(join(tmpdir(), 'gantry-bench-'));
  try {
    const archiveUrl = `http://127.0.0.1:${await freePort()}/studies`;
    const first = await startServer('gantry', { directory, archiveUrl });
    await first.stop();
    const startedAt = performance.now();
    const second = await startServer('gantry', { directory, archiveUrl });
    const readyMs = performance.now() - startedAt;
    try {
      return { ...(await measure(second.pid, times)), readyMs };
    } finally {
      await second.stop();
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function measure(pid: number, { settleMs, measureMs }: Times): Promise<Idle> {
  await sleep(settleMs);
  const before = cpuSeconds(pid);
  await sleep(measureMs);
  const cpuPercent = ((cpuSeconds(pid) - before) / measureMs) * 100_000;
  return { rssMiB: rssBytes(pid) / mebibyte, pssMiB: pssMiB(pid), cpuPercent };
}

function pssMiB(pid: number): number | null {
  try {
    const kib = /^Pss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1'))?.[1];
    return kib === undefined ? null : Number(kib) / 1024;
  } catch {
    return null;
  }
}

function pidOf(child: ChildProcess): number {
  if (child.pid === undefined) throw new Error('Node did not start');
  return child.pid;
}

function words({ rssMiB, pssMiB: pss, cpuPercent }: Idle): string {
  const shared = pss === null ? '' : `, ${pss.toFixed(1)} MiB without what is shared`;
  return `${rssMiB.toFixed(1)} MiB resident${shared}, ${cpuPercent.toFixed(2)} % of one core`;
}
