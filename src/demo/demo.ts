import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../base/clock.ts';
import { showLive, showPlain } from './display.ts';
import type { DemoGateway, DemoPorts } from './ports.ts';
import { type RoundReport, startRound } from './round.ts';
import { megabytes, roundTable, seconds } from './round-table.ts';

export interface DemoOptions {
  /** End after one round; the exit code then says whether it was verified. */
  readonly once: boolean;
  /** How long a round may take; 120,000 by default. */
  readonly timeoutMs?: number;
  /** Stops the demo; SIGINT and SIGTERM by default. */
  readonly signal?: AbortSignal;
  readonly out?: NodeJS.WritableStream & { readonly isTTY?: boolean };
  readonly input?: NodeJS.ReadableStream & { readonly isTTY?: boolean };
}

const timeoutMsDefault = 120_000;

/**
 * The demo: an archive, a gateway and a phantom modality, all on this machine and all in a temporary
 * directory that is removed at the end.
 * @returns the exit code: with `once`, 0 only where every object of the round was verified
 */
export async function runDemo(ports: DemoPorts, options: DemoOptions): Promise<number> {
  const { out = process.stdout, signal = untilInterrupted() } = options;
  const say = (line: string): void => void out.write(`${line}\n`);
  await using cleanup = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), 'gantry-demo-'));
  cleanup.defer(() => rm(directory, { recursive: true, force: true }));

  const archive = await ports.startArchive(await subdirectory(directory, 'archive'));
  cleanup.defer(() => archive.stop());
  const gateway = await ports.startGateway(await subdirectory(directory, 'gateway'), archive.url);
  cleanup.defer(() => gateway.stop());

  say(`Gantry is running: see http://127.0.0.1:${gateway.webPort}/`);
  say(
    `It takes DICOM as ${gateway.aeTitle} on port ${gateway.dicomPort} and forwards to the sandbox archive.`,
  );
  const live = out === process.stdout && out.isTTY === true;

  const timeoutMs = options.timeoutMs ?? timeoutMsDefault;
  const stopped = new Promise<void>((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
  for (let number = 1; !signal.aborted; number++) {
    say(`\nRound ${number}: the phantom sends by C-STORE.`);
    const { progress, report } = startRound(gateway, archive, { seed: number, timeoutMs, signal });
    await (live ? showLive(progress) : showPlain(progress, say));
    const verified = tellRound(number, await report, say);
    if (options.once) return verified ? 0 : 1;
    if (signal.aborted) break;
    if (number === 1) say(`\n${sendYourOwn(gateway)}`);
    await untilNextRound(options.input ?? process.stdin, stopped, say);
  }
  say('\nStopping.');
  return options.once ? 1 : 0;
}

function tellRound(number: number, report: RoundReport, say: (line: string) => void): boolean {
  const { progress, durationMs, gatewayBytesSent } = report;
  say(roundTable(report));
  if (progress.failure !== null) {
    say(`Round ${number} failed: ${progress.failure}`);
    return false;
  }
  say(`All ${progress.objects} objects were received, delivered and verified within ${seconds(durationMs)}.`);
  if (gatewayBytesSent !== null)
    say(`Sent to the archive, by the gateway's count: ${megabytes(gatewayBytesSent)}.`);
  return true;
}

/** DCMTK's own sender, told where to go. */
function sendYourOwn({ aeTitle, dicomPort }: DemoGateway): string {
  return `Send your own with DCMTK (no patient data: the sandbox archive keeps files unencrypted, until the demo ends):\n  storescu -v -aec ${aeTitle} 127.0.0.1 ${dicomPort} FILE.dcm`;
}

/** Resolves when a line is entered on a terminal, or when the demo is to stop. */
async function untilNextRound(
  input: NonNullable<DemoOptions['input']>,
  stopped: Promise<void>,
  say: (line: string) => void,
): Promise<void> {
  if (input.isTTY !== true) {
    say('Ctrl-C or SIGTERM stops.');
    return stopped;
  }
  say('Enter sends another round; Ctrl-C stops.');
  const { promise: asked, resolve } = Promise.withResolvers<void>();
  const onLine = (): void => resolve();
  input.on('data', onLine);
  await Promise.race([asked, stopped]);
  input.off('data', onLine);
  input.pause();
}

/** How long a repeated signal counts as the same one: npm passes on what the terminal has sent to all. */
const sameSignalMs = 1000;

/** Aborted by SIGINT or SIGTERM; whoever insists ends the process at once. */
function untilInterrupted(): AbortSignal {
  const controller = new AbortController();
  let firstAt = Number.POSITIVE_INFINITY;
  const onSignal = (): void => {
    const now = systemClock.monotonic();
    if (now - firstAt > sameSignalMs) process.exit(130);
    firstAt = Math.min(firstAt, now);
    controller.abort();
  };
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, onSignal);
  return controller.signal;
}

async function subdirectory(parent: string, name: string): Promise<string> {
  const path = join(parent, name);
  await mkdir(path, { mode: 0o700 });
  return path;
}
