import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { ctSlice, newUid } from '../fixtures/dicom-objects.ts';
import {
  abortRequest,
  dataSetPdus,
  echoCommand,
  RawClient,
  releaseRequest,
  storeCommand,
} from '../intake/raw-client.ts';
import type { Campaign } from './campaign.ts';
import type { Oracle } from './oracle.ts';

/**
 * What a soak does to the DICOM port. Callers are spread over addresses of this machine as devices are over a
 * network, so that the limits by address hold as they are shipped.
 */

/** A caller that waits longer than this for anything has found a fault. */
const answerMsMax = 60_000;
/** Associations being opened side by side by one crowd. */
const openingMax = 16;

/** What went wrong, and how often. */
export class Troubles {
  readonly #counts = new Map<string, number>();

  note(where: string, error: unknown): void {
    const what = `${where}: ${error instanceof Error ? error.message : String(error)}`;
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + 1);
  }

  list(): string[] {
    return [...this.#counts].map(([what, count]) => `${what} (${count} times)`);
  }
}

/** The modalities that store: one address and one AE title each. */
export const storers = Array.from({ length: 16 }, (_, n) => ({
  name: `soak${n + 1}`,
  aeTitle: `SOAK${n + 1}`,
  address: `127.0.1.${n + 1}`,
}));

export interface WaveOptions {
  readonly port: number;
  readonly associations: number;
  readonly objectsEach: number;
  readonly campaign: Campaign;
  readonly oracle: Oracle;
  readonly troubles: Troubles;
}

/** So many associations at the same time, a study each; resolves once all have been released. */
export async function sendWave(wave: WaveOptions): Promise<void> {
  const opening = new Turnstile(openingMax);
  const all = Array.from({ length: wave.associations }, async (_, n) => {
    try {
      await sendStudy(wave, n, opening);
    } catch (error) {
      wave.troubles.note('store', error);
    }
  });
  await Promise.all(all);
}

async function sendStudy(wave: WaveOptions, n: number, opening: Turnstile): Promise<void> {
  const { port, objectsEach, campaign, oracle } = wave;
  const storer = storers[n % storers.length];
  if (storer === undefined) throw new Error('no storer');
  const calling = storer.aeTitle;
  const client = await opening.through(() => answer(RawClient.associate(port, { calling }, storer.address)));
  try {
    const studyUID = newUid();
    for (let messageId = 1; messageId <= objectsEach; messageId += 1) {
      const made = ctSlice({ studyUID, seed: campaign.between(1, 2 ** 31), ...sizeOf(campaign) });
      oracle.offered(made);
      client.send(
        storeCommand({ messageId, SOPInstanceUID: made.SOPInstanceUID }),
        dataSetPdus(made.dataSet),
      );
      const { status, comment } = await answer(client.response());
      if (status !== 0) throw new Error(`answered ${status.toString(16)} ${comment}`);
      oracle.acknowledged(made);
    }
    client.send(releaseRequest);
    await expectPdu(client, releaseResponseType);
    await partFrom(client);
  } finally {
    client.close();
  }
}

/** Mostly small, so that what an association leaves behind is not lost among image data. */
function sizeOf(campaign: Campaign): { rows: number; columns: number } {
  const [from, to] = campaign.chance(3) ? [128, 320] : [4, 64];
  return { rows: campaign.between(from, to), columns: campaign.between(from, to) };
}

/** Short visits at an even rate: echo, nothing at all, break off, knock and go. */
export class Visitors {
  readonly #port: number;
  readonly #perSecond: number;
  readonly #troubles: Troubles;
  readonly #under = new Set<Promise<void>>();
  #timer: NodeJS.Timeout | null = null;
  #due = 0;
  /** Connections made so far. */
  visits = 0;
  /** Of which broken off by A-ABORT. */
  aborts = 0;

  constructor(port: number, perSecond: number, troubles: Troubles) {
    this.#port = port;
    this.#perSecond = perSecond;
    this.#troubles = troubles;
  }

  start(): void {
    let last = performance.now();
    this.#timer = setInterval(() => {
      const now = performance.now();
      this.#due += ((now - last) / 1000) * this.#perSecond;
      last = now;
      for (; this.#due >= 1; this.#due -= 1) this.#send();
    }, 20);
  }

  /** Resolves once the last one is gone; may be started again. */
  async pause(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    await Promise.all(this.#under);
  }

  #send(): void {
    // Where the machine is too slow for the rate, fewer come; they do not pile up.
    if (this.#under.size >= openingMax) return;
    const visit = this.#visit(this.visits)
      .catch((error: unknown) => this.#troubles.note('visit', error))
      .finally(() => this.#under.delete(visit));
    this.visits += 1;
    this.#under.add(visit);
  }

  async #visit(n: number): Promise<void> {
    const from = `127.0.4.${(n % 32) + 1}`;
    const kind = n % 4;
    const client = await answer(
      kind === 0
        ? RawClient.connect(this.#port, { from })
        : RawClient.associate(this.#port, { calling: 'VISITOR' }, from),
    );
    try {
      if (kind === 1) {
        this.aborts += 1;
        client.send(abortRequest);
      }
      if (kind === 2) {
        client.send(echoCommand());
        const { status } = await answer(client.response());
        if (status !== 0) throw new Error(`echo answered ${status.toString(16)}`);
      }
      if (kind >= 2) {
        client.send(releaseRequest);
        await expectPdu(client, releaseResponseType);
      }
      await partFrom(client);
    } finally {
      client.close();
    }
  }
}

/** How a silent connection waits. */
export type Silence = 'associated' | 'mute';

/**
 * Connections that say nothing more: `associated` ones after their association was accepted, `mute` ones not even
 * that, as a port scanner. What the gateway closes, as it may by its timers, is opened again.
 */
export class SilentCrowd {
  readonly #port: number;
  readonly #troubles: Troubles;
  readonly #clients = new Set<RawClient>();
  readonly #opening = new Turnstile(openingMax);
  #leaving = false;
  /** How often one was closed and opened again. */
  renewals = 0;

  constructor(port: number, troubles: Troubles) {
    this.#port = port;
    this.#troubles = troubles;
  }

  get size(): number {
    return this.#clients.size;
  }

  /** @param perAddress connections from one address; the limits by address are the gateway's to keep */
  async gather(count: number, silence: Silence, perAddress: number): Promise<void> {
    const network = silence === 'associated' ? 2 : 3;
    const addressOf = (n: number) => `127.0.${network}.${Math.floor(n / perAddress) + 1}`;
    await Promise.all(Array.from({ length: count }, (_, n) => this.#open(silence, addressOf(n))));
  }

  async leave(): Promise<void> {
    this.#leaving = true;
    const closed = [...this.#clients].map(async (client) => {
      client.close();
      if (!client.socket.closed) await once(client.socket, 'close');
    });
    await Promise.all(closed);
  }

  async #open(silence: Silence, from: string): Promise<void> {
    try {
      const client = await this.#opening.through(() =>
        answer(
          silence === 'mute'
            ? RawClient.connect(this.#port, { from })
            : RawClient.associate(this.#port, { calling: 'SILENT' }, from),
        ),
      );
      this.#clients.add(client);
      client.socket.once('close', () => void this.#closed(client, silence, from));
    } catch (error) {
      this.#troubles.note(`silent (${silence})`, error);
    }
  }

  async #closed(client: RawClient, silence: Silence, from: string): Promise<void> {
    this.#clients.delete(client);
    // The gateway gives the place back after its own side has closed.
    await delay(200);
    if (this.#leaving) return;
    this.renewals += 1;
    await this.#open(silence, from);
  }
}

const releaseResponseType = 6;

/** Closes our side and waits for the other's: from then on the connection takes no place there. */
async function partFrom(client: RawClient): Promise<void> {
  client.socket.end();
  await answer(client.aborted());
}

async function expectPdu(client: RawClient, type: number): Promise<void> {
  const pdu = await answer(client.next());
  if (pdu?.type !== type) throw new Error(`PDU type ${pdu?.type ?? 'none'} instead of ${type}`);
}

async function answer<T>(promise: Promise<T>): Promise<T> {
  const late = new AbortController();
  const timeout = delay(answerMsMax, undefined, { signal: late.signal }).then(
    () => {
      throw new Error(`no answer in ${answerMsMax} ms`);
    },
    () => new Promise<never>(() => undefined),
  );
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    late.abort();
  }
}

/** Lets so many through at a time. */
class Turnstile {
  readonly #max: number;
  readonly #queue: (() => void)[] = [];
  #inside = 0;

  constructor(max: number) {
    this.#max = max;
  }

  async through<T>(work: () => Promise<T>): Promise<T> {
    if (this.#inside >= this.#max) await new Promise<void>((resolve) => this.#queue.push(resolve));
    else this.#inside += 1;
    try {
      return await work();
    } finally {
      const next = this.#queue.shift();
      if (next === undefined) this.#inside -= 1;
      else next();
    }
  }
}
