import type { Clock } from '../base/clock.ts';
import { GantryError, type Reason, reasonWordsMax, systemErrorCode } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { Loop, sleepMsMax } from '../base/loop.ts';
import { settleDurably } from '../spool/settle-durably.ts';
import type {
  ObjectFacts,
  OpenObject,
  PreparedWriter,
  PrepareItem,
  PrepareSettlement,
  SpoolCodec,
} from '../spool/types.ts';
import { chooseCodecs } from './choice.ts';
import type { CompressionDecider } from './decider.ts';
import { type CodecName, codecSyntaxes } from './frame-format.ts';
import { codecLimits } from './limits.ts';
import type { FrameCodec } from './lossless.ts';
import { PassThrough, passThroughReasons } from './pass-through.ts';
import { Preparation } from './prepare.ts';
import { restore } from './restore.ts';
import type { CodecTally } from './savings.ts';

/** Images under way beside those the engine works on: while one waits for the disk, another keeps the engine busy. */
const imagesAhead = 2;
/** No further image is begun while those under way have so many bytes together. */
const underWayBytesMax = codecLimits.framesInFlightBytesMax;

export interface PreparerOptions {
  readonly spool: SpoolCodec;
  readonly engine: FrameCodec;
  readonly decider: CompressionDecider;
  readonly tally: CodecTally;
  /** The codecs to use, the preferred one first. */
  readonly codecs: readonly CodecName[];
  /** What the line to a destination carries, in bytes a second; null where not measured yet. */
  readonly goodput: (destination: string) => number | null;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * The codec's door: takes instances that wait for it, compresses them where that gets them to the archive sooner,
 * proves that what lies on disk gives back every byte received, and lets them go; or lets them go as they came,
 * with the reason. Never throws away the received object, and never keeps an acknowledgement waiting.
 */
export class Preparer {
  readonly #options: PreparerOptions;
  readonly #loop: Loop;
  readonly #underWay = new Map<Promise<void>, PrepareItem>();
  readonly #log: Log;
  readonly #stopping = new AbortController();
  #unlisten: (() => void) | null = null;

  constructor(options: PreparerOptions) {
    this.#options = options;
    this.#log = options.log.child({ room: 'codec' });
    this.#loop = new Loop({
      round: () => this.#round(),
      failed: (error) => this.#log.error({ code: 'CODEC_ROUND', error }, 'a round of the codec failed'),
    });
  }

  start(): void {
    this.#unlisten = this.#options.spool.onWork(() => this.#loop.notifySoon());
    this.#loop.start();
  }

  /**
   * Resolves once nothing is under way. What was, stays waiting for the codec of the next start. Stop the engine
   * first, or beside, so that nobody waits for a large frame.
   */
  async stop(): Promise<void> {
    this.#unlisten?.();
    this.#stopping.abort();
    await this.#loop.stop();
    await Promise.all(this.#underWay.keys());
  }

  async #round(): Promise<number> {
    while (this.#hasRoom()) {
      // One by one: what is urgent overtakes all that still waits.
      const [item] = await this.#options.spool.takePrepare(1);
      if (item === undefined) break;
      this.#launch(item);
    }
    return sleepMsMax;
  }

  #hasRoom(): boolean {
    const bytes = [...this.#underWay.values()].reduce((sum, item) => sum + item.bytes, 0);
    const imagesMax = this.#options.engine.width + imagesAhead;
    return !this.#stopping.signal.aborted && this.#underWay.size < imagesMax && bytes < underWayBytesMax;
  }

  #launch(item: PrepareItem): void {
    const processed = this.#process(item)
      .catch((error: unknown) =>
        this.#log.error({ code: 'CODEC_ROUND', error }, 'a round of the codec failed'),
      )
      .finally(() => {
        this.#underWay.delete(processed);
        this.#loop.notify();
      });
    this.#underWay.set(processed, item);
  }

  async #process(item: PrepareItem): Promise<void> {
    let settlement: PrepareSettlement;
    try {
      await using received = await this.#options.spool.open(item.objectId);
      settlement = await this.#prepareOrNot(received);
    } catch (error) {
      settlement = { objectId: item.objectId, to: 'as-received', reason: this.#reasonOf(error) };
    }
    // What was cut off by stopping is not settled: the next start takes it up.
    if (this.#stopping.signal.aborted && settlement.to === 'as-received') return;
    if (settlement.to === 'as-received') this.#options.tally.passedThrough(settlement.reason.code);
    const { spool } = this.#options;
    await settleDurably(() => spool.settlePrepare([settlement]), this.#log, this.#stopping.signal);
  }

  async #prepareOrNot(received: OpenObject): Promise<PrepareSettlement> {
    const { objectId, facts } = received;
    const codecs = this.#candidates(facts);
    for (const [index, codec] of codecs.entries()) {
      try {
        return { objectId, to: 'prepared', preparedId: await this.#prepare(received, codec) };
      } catch (error) {
        const another = error instanceof PassThrough && error.otherCodecMayFit && index + 1 < codecs.length;
        if (!another || this.#stopping.signal.aborted) throw error;
      }
    }
    throw new PassThrough('noSyntax');
  }

  #candidates(facts: ObjectFacts): readonly CodecName[] {
    const { spool, decider, codecs, goodput } = this.#options;
    const accepts: SpoolCodec['accepts'] = (...which) => spool.accepts(...which);
    return chooseCodecs(facts, { decider, codecs, accepts, goodput }, () => decider.takeMeasurement());
  }

  /**
   * @returns the id of the proven prepared object
   * @throws PassThrough where it is not to be; GantryError where the store failed
   */
  async #prepare(received: OpenObject, codec: CodecName): Promise<PreparedWriter['preparedId']> {
    const { spool, engine, decider, tally, clock } = this.#options;
    const { facts, objectId } = received;
    const startedAt = clock.monotonic();
    const abreastAtStart = this.#underWay.size;
    const preparation = new Preparation(facts.TransferSyntaxUID, codec, engine);
    const writer = await spool.beginPrepared(facts, objectId, codecSyntaxes[codec]);
    const bytesOut = await this.#write(preparation, received, writer);
    await this.#prove(writer, facts, codec);
    const modality = decider.nameOf(facts.Modality);
    const elapsedMs = clock.monotonic() - startedAt;
    const abreast = (abreastAtStart + this.#underWay.size) / 2;
    decider.learn({ modality, codec, bytesIn: facts.dataSetBytes, bytesOut, elapsedMs, abreast });
    tally.prepared(modality, codec, facts.dataSetBytes, bytesOut);
    return writer.preparedId;
  }

  async #write(preparation: Preparation, received: OpenObject, writer: PreparedWriter): Promise<number> {
    const { TransferSyntaxUID, dataSetBytes, dataSetSha256 } = received.facts;
    let bytesOut = 0;
    try {
      for await (const bytes of preparation.bytes(received.dataSet())) {
        if (this.#stopping.signal.aborted) throw new PassThrough('engine');
        bytesOut += bytes.length;
        await writer.write(bytes);
      }
      // What stands around the pixel data may grow as it is encoded anew.
      if (bytesOut >= dataSetBytes) throw new PassThrough('noGain', { otherCodecMayFit: true });
    } catch (error) {
      await writer.abort();
      throw error;
    }
    const recipe = { ...preparation.recipe };
    await writer.commit({ TransferSyntaxUID, dataSetBytes, dataSetSha256, recipe });
    return bytesOut;
  }

  /** Proves what lies on disk, not what was in memory. */
  async #prove({ preparedId }: PreparedWriter, facts: ObjectFacts, codec: CodecName): Promise<void> {
    try {
      await using prepared = await this.#options.spool.open(preparedId);
      if (prepared.facts.restoration?.dataSetSha256 !== facts.dataSetSha256)
        throw new PassThrough('mismatch');
      for await (const bytes of restore(prepared, this.#options.engine)) {
        if (bytes.length > 0 && this.#stopping.signal.aborted) throw new PassThrough('engine');
      }
    } catch (thrown) {
      const error = firstOf(thrown);
      const failedEngine =
        error instanceof PassThrough && error.reason.code !== passThroughReasons.mismatch.code;
      if (failedEngine || isOfDisk(error) || this.#stopping.signal.aborted) throw error;
      this.#options.tally.mismatch();
      this.#log.error(
        { code: passThroughReasons.mismatch.code, codec, cause: causeOf(error) },
        'a compressed image did not give back the bytes received; the image is sent as it was received',
      );
      throw new PassThrough('mismatch', { cause: error });
    }
  }

  #reasonOf(thrown: unknown): Reason {
    const error = firstOf(thrown);
    if (error instanceof PassThrough) return error.reason;
    if (error instanceof GantryError) {
      return { code: error.code, words: error.message.slice(0, reasonWordsMax) };
    }
    if (isOfDisk(error)) return passThroughReasons.disk;
    if (!this.#stopping.signal.aborted) {
      this.#log.error({ code: passThroughReasons.engine.code, error }, 'the codec failed on an image');
    }
    return passThroughReasons.engine;
  }
}

/** Where closing the object failed as well, what went wrong before that. */
function firstOf(error: unknown): unknown {
  return error instanceof SuppressedError ? firstOf(error.suppressed) : error;
}

/** What the disk could not read just now says nothing of the codec. */
function isOfDisk(error: unknown): boolean {
  return error instanceof GantryError ? error.kind === 'transient' : systemErrorCode(error) !== null;
}

function causeOf(error: unknown): string {
  if (error instanceof GantryError) return error.code;
  return error instanceof Error ? error.name : 'unknown';
}
