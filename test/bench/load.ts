import { DimseSender } from '../../src/demo/dimse-sender.ts';
import { contextOf, type ObjectSize, Template } from './objects.ts';

export interface LoadTarget {
  readonly port: number;
  readonly calledAeTitle: string;
}

export interface LoadOptions {
  readonly size: ObjectSize;
  readonly associations: number;
  /** How long new objects are started; the last of each association is waited for. */
  readonly seconds: number;
}

export interface LoadResult {
  readonly objects: number;
  readonly bytes: number;
  readonly seconds: number;
  /** From the first byte of a command to its answer, ms, sorted. */
  readonly latenciesMs: readonly number[];
}

/**
 * Keeps every association busy with one object at a time.
 * @throws where an object is not answered 0000: a figure over failures would be worth nothing
 */
export async function runLoad(target: LoadTarget, options: LoadOptions): Promise<LoadResult> {
  const senders = await Promise.all(
    Array.from({ length: options.associations }, async () => ({
      template: new Template(options.size),
      sender: await connect(target, options.size),
    })),
  );
  const latencies: number[] = [];
  const start = performance.now();
  const until = start + options.seconds * 1000;
  await Promise.all(
    senders.map(async ({ sender, template }) => {
      while (performance.now() < until) {
        const before = performance.now();
        const { status, errorComment } = await sender.store(template.next());
        if (status !== 0) throw new Error(`answered ${status.toString(16)} (${errorComment ?? ''})`);
        latencies.push(performance.now() - before);
      }
    }),
  );
  const seconds = (performance.now() - start) / 1000;
  await Promise.all(senders.map(({ sender }) => sender.release()));
  return {
    objects: latencies.length,
    bytes: latencies.length * (senders[0]?.template.bytes ?? 0),
    seconds,
    latenciesMs: latencies.toSorted((a, b) => a - b),
  };
}

function connect({ port, calledAeTitle }: LoadTarget, size: ObjectSize): Promise<DimseSender> {
  return DimseSender.connect({
    host: '127.0.0.1',
    port,
    callingAeTitle: 'BENCH',
    calledAeTitle,
    contexts: [contextOf(size)],
  });
}

/** @param sorted ascending; @param share 0 to 1 */
export function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
  const lower = sorted[Math.floor((sorted.length - 1) / 2)] ?? Number.NaN;
  return (lower + upper) / 2;
}
