import { setTimeout as delay } from 'node:timers/promises';
import { GantryError } from '../../src/base/errors.ts';
import { DimseSender } from '../../src/demo/dimse-sender.ts';
import { ctSlice, type MadeInstance, newUid } from '../fixtures/dicom-objects.ts';
import type { Campaign } from './campaign.ts';
import type { Oracle } from './oracle.ts';

/** An instance that can be made again, so that nothing large is kept. */
interface Recipe {
  readonly instanceUID: string;
  readonly studyUID: string;
  readonly seed: number;
  readonly rows: number;
  readonly columns: number;
}

export interface LoadOptions {
  readonly oracle: Oracle;
  readonly campaign: Campaign;
  readonly senders: number;
  /** Longest pause between two objects of one sender. */
  readonly pauseMsMax: number;
  /** Which share of the new objects is of medium size (up to 0.5 MB), in percent. */
  readonly mediumPercent: number;
}

const answerMsMax = 20_000;

/**
 * Modalities that send all the time: new objects, small and medium; the same again; other bytes under a UID they
 * used before. What was not answered 0000, for whatever reason, is kept and sent again.
 */
export class Load {
  readonly #options: LoadOptions;
  readonly #running: Promise<void>[] = [];
  readonly #unacknowledged: Recipe[][] = [];
  /** Statuses other than 0000, in hex, with their comment. */
  readonly refusals = new Map<string, number>();
  /** Associations that were not accepted, by what the sender was told. */
  readonly rejections = new Map<string, number>();
  #port: number | null = null;
  #stopped = false;

  constructor(options: LoadOptions) {
    this.#options = options;
  }

  /** Where the gateway listens now; null while it is known to be down. */
  aim(port: number | null): void {
    this.#port = port;
  }

  start(): void {
    for (let n = 0; n < this.#options.senders; n += 1) {
      const unacknowledged: Recipe[] = [];
      this.#unacknowledged.push(unacknowledged);
      this.#running.push(this.#sendAllTheTime(unacknowledged));
    }
  }

  /** Ends it: nothing new is sent any more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#running);
  }

  /** After `stop`: sends again all that was not answered 0000. @throws Error where that takes too long */
  async sendRest(msMax: number): Promise<void> {
    const deadline = performance.now() + msMax;
    for (const rest of this.#unacknowledged) {
      while (rest.length > 0) {
        if (performance.now() > deadline) throw new Error(`${rest.length} objects are refused for ever`);
        await this.#associate(async (sender) => {
          for (const recipe of rest.slice()) await this.#send(sender, recipe, rest);
        });
      }
    }
  }

  async #sendAllTheTime(unacknowledged: Recipe[]): Promise<void> {
    const { campaign, pauseMsMax } = this.#options;
    const acknowledged: Recipe[] = [];
    let studyUID = newUid();
    while (!this.#stopped) {
      const messages = campaign.between(1, 40);
      await this.#associate(async (sender) => {
        for (let n = 0; n < messages && !this.#stopped; n += 1) {
          if (campaign.chance(5)) studyUID = newUid();
          const recipe = this.#next(acknowledged, unacknowledged, studyUID);
          if (!unacknowledged.includes(recipe)) unacknowledged.push(recipe);
          if (await this.#send(sender, recipe, unacknowledged)) acknowledged.push(recipe);
          await delay(campaign.between(0, pauseMsMax + 1));
        }
      });
    }
  }

  #next(acknowledged: readonly Recipe[], unacknowledged: readonly Recipe[], studyUID: string): Recipe {
    const { campaign, mediumPercent } = this.#options;
    const dice = campaign.between(0, 100);
    const [waiting] = unacknowledged;
    const known = acknowledged[campaign.between(0, Math.max(1, acknowledged.length))];
    if (dice < 40 && waiting !== undefined) return waiting;
    if (dice < 50 && known !== undefined) return known;
    const seed = campaign.between(1, 2 ** 31);
    if (dice < 56 && known !== undefined) return { ...known, seed };
    const [from, to] = campaign.chance(mediumPercent) ? [128, 512] : [4, 48];
    const [rows, columns] = [campaign.between(from, to), campaign.between(from, to)];
    return { instanceUID: newUid(), studyUID, seed, rows, columns };
  }

  /** One association; whatever ends it early leaves the rest for the next. */
  async #associate(work: (sender: DimseSender) => Promise<void>): Promise<void> {
    const port = this.#port;
    let sender: DimseSender | null = null;
    try {
      if (port === null) {
        await delay(20);
        return;
      }
      sender = await DimseSender.connect({
        host: '127.0.0.1',
        port,
        callingAeTitle: 'CT1',
        calledAeTitle: 'GANTRY',
        contexts: [{ SOPClassUID: contextOf.SOPClassUID, transferSyntaxes: [contextOf.TransferSyntaxUID] }],
        timeoutMs: answerMsMax,
      });
      await work(sender);
      await sender.release();
    } catch (error) {
      if (!(error instanceof GantryError)) throw error;
      if (error.code === 'DIMSE_REJECTED') count(this.rejections, error.message);
      sender?.abort();
      await delay(20);
    }
  }

  /** @returns whether it was answered 0000 */
  async #send(sender: DimseSender, recipe: Recipe, unacknowledged: Recipe[]): Promise<boolean> {
    const { oracle } = this.#options;
    const made = make(recipe);
    oracle.offered(made);
    const { status, errorComment } = await sender.store(made);
    if (status !== 0) {
      count(this.refusals, `${status.toString(16).toUpperCase().padStart(4, '0')} ${errorComment ?? ''}`);
      return false;
    }
    oracle.acknowledged(made);
    unacknowledged.splice(unacknowledged.indexOf(recipe), 1);
    return true;
  }
}

const contextOf = make({ instanceUID: '1.2', studyUID: '1.3', seed: 1, rows: 4, columns: 4 });

function make({ instanceUID, studyUID, seed, rows, columns }: Recipe): MadeInstance {
  return ctSlice({ instanceUID, studyUID, seriesUID: `${studyUID}.1`, seed, rows, columns });
}

function count(counts: Map<string, number>, what: string): void {
  counts.set(what, (counts.get(what) ?? 0) + 1);
}
