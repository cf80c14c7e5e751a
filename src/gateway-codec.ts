import { availableParallelism } from 'node:os';
import type { Clock } from './base/clock.ts';
import { GantryError } from './base/errors.ts';
import type { Log } from './base/log.ts';
import { chooseCodecs } from './codec/choice.ts';
import { CompressionDecider } from './codec/decider.ts';
import { CodecPool } from './codec/lossless.ts';
import { PassThrough } from './codec/pass-through.ts';
import { Preparer } from './codec/preparer.ts';
import { restore } from './codec/restore.ts';
import { CodecTally } from './codec/savings.ts';
import type { Config } from './config/schema.ts';
import type { CompressionReport } from './health/compression.ts';
import type { ObjectFacts, OpenObject, SpoolCodec } from './spool/types.ts';

/** Threads go, with the memory of the engines, when there was nothing to do for so long. */
const idleMs = 30_000;

/** What the codec is connected to once the spool is open. */
export interface CodecConnection {
  readonly spool: SpoolCodec;
  /** What the line to a destination carries, in bytes a second; null where not measured yet. */
  readonly goodput: (destination: string) => number | null;
}

/** The codec room. Nothing runs, and no engine is loaded, before there is work. */
export class Codec {
  #pool: CodecPool;
  #decider: CompressionDecider;
  readonly #tally = new CodecTally();
  #config: Config['compression'];
  #workersMax: number;
  readonly #clock: Clock;
  readonly #log: Log;
  #connection: CodecConnection | null = null;
  #preparer: Preparer | null = null;
  #threadFailures = 0;
  #stopped = false;

  constructor({ compression }: Pick<Config, 'compression'>, clock: Clock, log: Log) {
    this.#config = compression;
    this.#clock = clock;
    this.#log = log;
    this.#workersMax = workersOf(compression);
    this.#decider = new CompressionDecider({ mode: compression.mode, workers: this.#workersMax });
    this.#pool = this.#newPool();
  }

  /** Goes on under other settings: what is under way is taken up again under them. */
  async reconfigure({ compression }: Pick<Config, 'compression'>): Promise<void> {
    const connection = this.#connection;
    const stopped = this.#preparer?.stop();
    await this.#pool.stop();
    await stopped;
    this.#config = compression;
    this.#workersMax = workersOf(compression);
    this.#decider = new CompressionDecider({ mode: compression.mode, workers: this.#workersMax });
    this.#pool = this.#newPool();
    if (connection !== null && !this.#stopped) this.start(connection);
  }

  #newPool(): CodecPool {
    return new CodecPool({
      workersMax: this.#workersMax,
      idleMs,
      threadFailed: (cause) => {
        this.#threadFailures += 1;
        this.#log.warn(
          { room: 'codec', code: 'CODEC_THREAD', cause },
          'a codec thread failed and is replaced',
        );
      },
    });
  }

  start(connection: CodecConnection): void {
    this.#connection = connection;
    this.#preparer = new Preparer({
      ...connection,
      engine: this.#pool,
      decider: this.#decider,
      tally: this.#tally,
      codecs: this.#config.syntaxes,
      clock: this.#clock,
      log: this.#log,
    });
    this.#preparer.start();
  }

  /** Quick: what is under way is taken up again at the next start. */
  async stop(): Promise<void> {
    this.#stopped = true;
    // Told first, so that what the threads drop is not taken for a fault.
    const stopped = this.#preparer?.stop();
    await this.#pool.stop();
    await stopped;
  }

  /** Decided at admission: what is not compressed anyway does not wait to be told so. */
  waitsFor(facts: ObjectFacts): boolean {
    const { spool, goodput } = this.#connection ?? { spool: null, goodput: () => null };
    const parts = {
      decider: this.#decider,
      codecs: this.#config.syntaxes,
      accepts: (...which: Parameters<SpoolCodec['accepts']>) => spool?.accepts(...which) ?? null,
      goodput,
    };
    try {
      chooseCodecs(facts, parts, () => this.#decider.oweMeasurement());
      return true;
    } catch (error) {
      // The object is durable and its sender waits: whatever is wrong here, it is sent as it came.
      const { reason } = error instanceof PassThrough ? error : new PassThrough('engine');
      if (!(error instanceof PassThrough))
        this.#log.error({ room: 'codec', code: reason.code, error }, 'the codec could not be asked');
      this.#tally.passedThrough(reason.code);
      return false;
    }
  }

  /**
   * The received data set of a prepared object, proven at its end.
   * @throws GantryError RESTORE_MISMATCH, RESTORE_IMPOSSIBLE (permanent); RESTORE_FAILED, CODEC_STOPPED (transient);
   *   OBJECT_* of the prepared object
   */
  async *restore(prepared: OpenObject): AsyncGenerator<Buffer> {
    try {
      yield* restore(prepared, this.#pool);
    } catch (error) {
      if (!(error instanceof PassThrough)) throw error;
      throw this.#stopped ? codecStopped(error) : restoreFailed(error);
    }
  }

  report(atRest: CompressionReport['atRest']): CompressionReport {
    return {
      atRest,
      mode: this.#config.mode,
      syntaxes: this.#config.syntaxes,
      workers: this.#workersMax,
      ...this.#tally.totals(),
      threadFailures: this.#threadFailures,
      savings: this.#tally.savings(),
      passedThrough: this.#tally.passedThroughCounts(),
      decisions: this.#decider.decisions(),
    };
  }
}

function workersOf({ workers }: Config['compression']): number {
  return workers ?? Math.max(2, availableParallelism() - 1);
}

function restoreFailed(cause: unknown): GantryError {
  return new GantryError(
    {
      code: 'RESTORE_FAILED',
      kind: 'transient',
      message: 'The codec failed while it made the received image from the compressed one.',
      nextStep: 'It is tried again. Where this stays so, "gantry scrub" names what is to be sent again.',
    },
    { cause },
  );
}

function codecStopped(cause: unknown): GantryError {
  return new GantryError(
    {
      code: 'CODEC_STOPPED',
      kind: 'transient',
      message: 'The gateway is being stopped.',
      nextStep: 'Start it again.',
    },
    { cause },
  );
}
