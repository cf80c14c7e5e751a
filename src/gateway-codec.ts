import { availableParallelism } from 'node:os';
import type { Clock } from './base/clock.ts';
import type { Log } from './base/log.ts';
import { CompressionDecider } from './codec/decider.ts';
import { CodecPool } from './codec/lossless.ts';
import { Preparer } from './codec/preparer.ts';
import { restore } from './codec/restore.ts';
import { CodecTally } from './codec/savings.ts';
import type { Config } from './config/schema.ts';
import type { CompressionReport } from './health/compression.ts';
import type { OpenObject, SpoolCodec } from './spool/types.ts';

/** Threads go, with the memory of the engines, when there was nothing to do for so long. */
const idleMs = 30_000;

export interface CodecParts {
  readonly config: Pick<Config, 'compression'>;
  readonly spool: SpoolCodec;
  /** What the line to a destination carries, in bytes a second; null where not measured yet. */
  readonly goodput: (destination: string) => number | null;
  readonly clock: Clock;
  readonly log: Log;
}

export interface Codec {
  start(): void;
  /** Quick: what is under way is taken up again at the next start. */
  stop(): Promise<void>;
  /** The received data set of a prepared object, proven at its end. @throws GantryError RESTORE_* */
  restore(prepared: OpenObject): AsyncIterable<Buffer>;
  report(): CompressionReport;
}

/** Builds the codec room. Nothing runs, and no engine is loaded, before there is work. */
export function createCodec({ config, spool, goodput, clock, log }: CodecParts): Codec {
  const { mode, syntaxes, workers } = config.compression;
  const workersMax = workers ?? Math.max(1, availableParallelism() - 1);
  let threadFailures = 0;
  const pool = new CodecPool({
    workersMax,
    idleMs,
    threadFailed: (cause) => {
      threadFailures += 1;
      log.warn({ room: 'codec', code: 'CODEC_THREAD', cause }, 'a codec thread failed and is replaced');
    },
  });
  const decider = new CompressionDecider({ mode, workers: workersMax });
  const tally = new CodecTally();
  const preparer = new Preparer({
    spool,
    engine: pool,
    decider,
    tally,
    codecs: syntaxes,
    goodput,
    clock,
    log,
  });
  return {
    start: () => preparer.start(),
    async stop() {
      // Told first, so that what the threads drop is not taken for a fault.
      const stopped = preparer.stop();
      await pool.stop();
      await stopped;
    },
    restore: (prepared) => restore(prepared, pool),
    report: () => ({
      mode,
      syntaxes,
      workers: workersMax,
      ...tally.totals(),
      threadFailures,
      savings: tally.savings(),
      passedThrough: tally.passedThroughCounts(),
      decisions: decider.decisions(),
    }),
  };
}
