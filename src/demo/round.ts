import { setTimeout as sleep } from 'node:timers/promises';
import { type Clock, systemClock } from '../base/clock.ts';
import { GantryError } from '../base/errors.ts';
import { DimseSender } from './dimse-sender.ts';
import { phantomContexts, phantomCounts, phantomRound } from './phantom.ts';
import type { DemoArchive, DemoGateway, DemoStatus } from './ports.ts';
import { RoundProgress } from './round-progress.ts';

export const phantomAeTitle = 'PHANTOM';

export interface RoundOptions {
  readonly seed: number;
  /** How long a round may take until every object is verified. */
  readonly timeoutMs: number;
  /** Ends the round early. */
  readonly signal: AbortSignal;
  readonly clock?: Clock;
}

export interface RoundReport {
  readonly progress: RoundProgress;
  /** From the first object's start to the last one verified, or to the failure. */
  readonly durationMs: number;
  /** What the gateway says it sent to its destinations meanwhile; null where it could not be asked. */
  readonly gatewayBytesSent: number | null;
}

const pollMs = 100;

/** One round under way: its books, and the report when it is over. Never rejects for what the gateway does. */
export interface Round {
  readonly progress: RoundProgress;
  readonly report: Promise<RoundReport>;
}

/** Sends one round of the phantom and follows it until all is verified, something fails or time is up. */
export function startRound(gateway: DemoGateway, archive: DemoArchive, options: RoundOptions): Round {
  const progress = new RoundProgress(phantomCounts());
  return { progress, report: run(gateway, archive, options, progress) };
}

async function run(
  gateway: DemoGateway,
  archive: DemoArchive,
  options: RoundOptions,
  progress: RoundProgress,
): Promise<RoundReport> {
  const { clock = systemClock } = options;
  const startedAt = clock.monotonic();
  const ending = new AbortController();
  const signal = AbortSignal.any([options.signal, ending.signal, AbortSignal.timeout(options.timeoutMs)]);
  const stopListening = archive.onStored(({ SOPInstanceUID, bytes }) =>
    progress.stored(SOPInstanceUID, bytes, clock.monotonic()),
  );
  let before: DemoStatus | null = null;
  let latest: DemoStatus | null = null;
  let sending: Promise<void> = Promise.resolve();
  try {
    before = await gateway.status();
    sending = sendRound(gateway, options.seed, progress, clock, signal);
    while (!progress.done) {
      latest = await gateway.status();
      enter(progress, before, latest);
      if (!progress.done) await sleep(pollMs, undefined, { signal });
    }
  } catch (error) {
    if (options.signal.aborted) progress.failed('stopped before it was complete');
    else if (signal.aborted) progress.failed(missingWords(progress, options.timeoutMs, latest));
    else progress.failed(`the gateway's status could not be read: ${words(error)}`);
  } finally {
    if (progress.failure !== null) ending.abort();
    await sending;
    stopListening();
  }
  const sent = before !== null && latest !== null ? bytesSent(latest) - bytesSent(before) : null;
  return { progress, durationMs: clock.monotonic() - startedAt, gatewayBytesSent: sent };
}

/** Never rejects: what goes wrong is entered as the round's failure. */
async function sendRound(
  gateway: DemoGateway,
  seed: number,
  progress: RoundProgress,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  try {
    const sender = await DimseSender.connect({
      host: '127.0.0.1',
      port: gateway.dicomPort,
      callingAeTitle: phantomAeTitle,
      calledAeTitle: gateway.aeTitle,
      contexts: phantomContexts,
    });
    signal.addEventListener('abort', () => sender.abort(), { once: true });
    for (const instance of phantomRound({ seed, at: new Date(clock.now()) })) {
      if (signal.aborted) break;
      progress.sending(instance.SOPInstanceUID, instance.kind, instance.dataSet.length);
      const { status, errorComment } = await sender.store(instance);
      if (status !== 0) {
        const code = status.toString(16).toUpperCase().padStart(4, '0');
        progress.failed(`${instance.kind}: the gateway answered ${code} (${errorComment ?? 'no comment'})`);
        break;
      }
      progress.received(instance.SOPInstanceUID, clock.monotonic());
    }
    if (!signal.aborted) await sender.release();
  } catch (error) {
    if (!signal.aborted) progress.failed(`sending failed: ${words(error)}`);
  }
}

function enter(progress: RoundProgress, before: DemoStatus, now: DemoStatus): void {
  progress.verifiedSoFar(now.totals.verified - before.totals.verified);
  const parked = parkedInstances(now) - parkedInstances(before);
  if (parked > 0) {
    progress.failed(`${parked} of ${progress.objects} objects were parked by the gateway: ${now.reason}`);
  }
}

function parkedInstances({ totals }: DemoStatus): number {
  return totals.quarantined + totals.conflicts + totals.held;
}

function bytesSent({ destinations }: DemoStatus): number {
  return Object.values(destinations).reduce((sum, destination) => sum + destination.bytesSent, 0);
}

/** What is missing when time is up, in plain words. */
function missingWords(progress: RoundProgress, timeoutMs: number, status: DemoStatus | null): string {
  const gaps = progress.tallies().flatMap(({ kind, objects, received, delivered }) => {
    if (received < objects) return [`${kind}: ${objects - received} of ${objects} not received`];
    if (delivered < objects) return [`${kind}: ${objects - delivered} of ${objects} not at the archive`];
    return [];
  });
  if (gaps.length === 0)
    gaps.push(`${progress.objects - progress.verified} of ${progress.objects} not verified`);
  const saying = status === null ? '' : ` The gateway says: ${status.reason}`;
  return `not complete after ${timeoutMs / 1000} s; ${gaps.join('; ')}.${saying}`;
}

function words(error: unknown): string {
  if (error instanceof GantryError) return `${error.message} ${error.nextStep}`;
  return error instanceof Error ? error.message : 'unknown cause';
}
