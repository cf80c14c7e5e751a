import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type CentralSignIn, eachOf, openBroker } from './central-line.ts';

export interface BrokerCheckOptions {
  readonly url: string;
  readonly signIn: CentralSignIn;
  readonly boxes: number;
  /** Of each probe. */
  readonly bytes: number;
}

export interface BrokerCheck {
  readonly written: number;
  readonly readBack: number;
  readonly intact: number;
  readonly writeSeconds: number;
  readonly readSeconds: number;
}

const atOnce = 200;
/** So long without a further one, and the broker gives no more. */
const quietMs = 5000;

/**
 * Whether a broker can keep the documents of a fleet and give all of them back: one probe for each box is kept there,
 * all are read by one wildcard, and removed again. Brokers as they come give only the first thousand, and say nothing.
 * @throws GantryError REMOTE_*
 */
export async function checkBroker({ url, signIn, boxes, bytes }: BrokerCheckOptions): Promise<BrokerCheck> {
  const fleet = `broker-check-${randomBytes(4).toString('hex')}`;
  const topics = Array.from({ length: boxes }, (_, at) => `gantry/v1/${fleet}/probe-${at}/desired`);
  const filling = Buffer.alloc(bytes, 'x');
  const writer = await openBroker(url, signIn);
  try {
    const writtenAt = performance.now();
    await eachOf(topics, atOnce, (topic) => writer.publish(topic, probe(topic, filling), true));
    const readAt = performance.now();
    const found = await readAll(url, signIn, fleet, boxes);
    const doneAt = performance.now();
    const intact = topics.filter((topic) => found.get(topic)?.equals(probe(topic, filling))).length;
    return {
      written: boxes,
      readBack: found.size,
      intact,
      writeSeconds: (readAt - writtenAt) / 1000,
      readSeconds: (doneAt - readAt - (found.size < boxes ? quietMs : 0)) / 1000,
    };
  } finally {
    try {
      await eachOf(topics, atOnce, (topic) => writer.publish(topic, Buffer.alloc(0), true));
    } finally {
      await writer.close();
    }
  }
}

function probe(topic: string, filling: Buffer): Buffer {
  return Buffer.concat([Buffer.from(topic), filling]).subarray(0, Math.max(topic.length, filling.length));
}

async function readAll(
  url: string,
  signIn: CentralSignIn,
  fleet: string,
  boxes: number,
): Promise<ReadonlyMap<string, Buffer>> {
  const found = new Map<string, Buffer>();
  const reader = await openBroker(url, signIn);
  try {
    let heardAt = performance.now();
    reader.onMessage((topic, bytes) => {
      heardAt = performance.now();
      found.set(topic, bytes);
    });
    await reader.subscribe([`gantry/v1/${fleet}/+/desired`]);
    while (found.size < boxes && performance.now() - heardAt < quietMs) await sleep(20);
  } finally {
    await reader.close();
  }
  return found;
}
