import { type FailureText, GantryError } from '../../../base/errors.ts';
import { Loop } from '../../../base/loop.ts';
import type { RemoteConfig } from '../../schema.ts';
import { documentBytesMax, type InboundKind } from '../documents.ts';
import { BackOff } from './back-off.ts';
import { Broker, type MqttVersion, wantsOtherVersion } from './broker.ts';
import { asRemoteFault, causeOf, remoteFault, textOf } from './faults.ts';
import { Outward, readSecret } from './outward.ts';
import {
  type Channel,
  type ChannelParts,
  type ChannelState,
  inOrder,
  reportEveryMs,
  topicOf,
} from './port.ts';

type MqttConfig = NonNullable<RemoteConfig['mqtt']>;

const backOffMs = { minMs: 1000, maxMs: 5 * 60_000 };
/** A connection that lasted so long was a good one. */
const goodAfterMs = 60_000;
/** Commands that wait to be looked at; each is signed for a short time only. */
const waitingCommandsMax = 16;

/**
 * A standing connection to a broker: what is published for this box comes at once, and whether it is there is known
 * by its last will. No message means no change: what the broker forgot is found by the other ways, and the report
 * is published anew with each connection.
 */
export class MqttChannel implements Channel {
  readonly #config: MqttConfig;
  readonly #parts: ChannelParts;
  readonly #outward: Outward;
  readonly #loop: Loop;
  readonly #backOff = new BackOff(backOffMs);
  readonly #kinds: ReadonlyMap<string, InboundKind>;
  /** Of each kind what came last; only commands wait in a row. */
  readonly #waiting = new Map<InboundKind, Buffer[]>();
  #broker: Broker | null = null;
  #version: MqttVersion = 5;
  #openedAt = 0;
  #pausedUntil = 0;
  #stopping = false;
  #offReport: (() => void) | null = null;
  #reportDue = true;
  #reportedAt = Number.NEGATIVE_INFINITY;
  /** The same by the wall clock, for people. */
  #nextAt: number | null = null;
  #contactAt: number | null = null;
  #failure: FailureText | null = null;

  constructor(config: MqttConfig, parts: ChannelParts) {
    this.#config = config;
    this.#parts = parts;
    this.#outward = new Outward(config, parts);
    this.#kinds = new Map(inOrder.map((kind) => [topicOf(parts.fleet, parts.device, kind), kind]));
    this.#loop = new Loop({ round: () => this.#round(), failed: (error) => this.#failed(error) });
  }

  start(): void {
    this.#offReport = this.#parts.agent.onReport(() => {
      this.#reportDue = true;
      this.#loop.notifySoon();
    });
    this.#loop.start();
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    this.#offReport?.();
    const broker = this.#broker;
    if (broker !== null) {
      const patience = setTimeout(() => broker.client.end(true), 2000);
      await broker.publish(this.#presenceTopic, presence(false), true).catch(() => undefined);
      clearTimeout(patience);
      await broker.close();
    }
    await this.#loop.stop();
  }

  state(): ChannelState {
    const nextAt = this.#broker === null ? this.#nextAt : null;
    return { kind: 'mqtt', contactAt: this.#contactAt, nextAt, failure: this.#failure };
  }

  get #presenceTopic(): string {
    return topicOf(this.#parts.fleet, this.#parts.device, 'presence');
  }

  async #round(): Promise<number> {
    const now = performance.now();
    if (this.#stopping) return reportEveryMs;
    if (this.#broker === null) {
      if (now < this.#pausedUntil) return this.#pausedUntil - now;
      await this.#open();
    }
    await this.#deliver();
    if (now - this.#reportedAt >= reportEveryMs) this.#reportDue = true;
    if (this.#reportDue && this.#broker !== null && now >= this.#pausedUntil)
      await this.#report(this.#broker);
    return now < this.#pausedUntil ? this.#pausedUntil - now : reportEveryMs;
  }

  async #open(): Promise<void> {
    const broker = await this.#connect();
    this.#broker = broker;
    this.#openedAt = performance.now();
    void broker.ended.then((error) => this.#lost(broker, error));
    broker.onMessage((topic, bytes) => this.#heard(topic, bytes));
    try {
      await broker.subscribe([...this.#kinds.keys()]);
      await broker.publish(this.#presenceTopic, presence(true), true);
    } catch (error) {
      this.#broker = null;
      await broker.close();
      throw error;
    }
    this.#reportDue = true;
    if (this.#failure !== null) this.#parts.log.info({ channel: 'mqtt' }, 'the broker is reached again');
    this.#failure = null;
  }

  async #connect(): Promise<Broker> {
    const { fleet, device } = this.#parts;
    const { url, user, passwordFile, keepAliveSeconds } = this.#config;
    const password = passwordFile === null ? undefined : await readSecret(this.#parts, passwordFile);
    const options = {
      clientId: `gantry-${fleet}-${device}`,
      user: user ?? undefined,
      password,
      keepAliveSeconds,
      will: { topic: this.#presenceTopic, payload: presence(false) },
      packetBytesMax: documentBytesMax + 1024,
    };
    try {
      return await Broker.open(url, this.#outward, options, this.#version);
    } catch (error) {
      // The next attempt speaks the other version; one of them is right.
      if (wantsOtherVersion(error)) this.#version = this.#version === 5 ? 4 : 5;
      throw error;
    }
  }

  #heard(topic: string, bytes: Buffer): void {
    const kind = this.#kinds.get(topic);
    // Without a body it says that the broker forgets what it kept: no change.
    if (kind === undefined || bytes.length === 0 || bytes.length > documentBytesMax) return;
    const rest = kind === 'command' ? (this.#waiting.get(kind) ?? []).slice(1 - waitingCommandsMax) : [];
    this.#waiting.set(kind, [...rest, bytes]);
    // Soon, not at once: what belongs together comes together, and is then taken in the right order.
    this.#loop.notifySoon();
  }

  async #deliver(): Promise<void> {
    for (const kind of inOrder) {
      const found = this.#waiting.get(kind) ?? [];
      this.#waiting.delete(kind);
      for (const bytes of found) await this.#parts.agent.offer(kind, bytes, 'mqtt');
    }
  }

  async #report(broker: Broker): Promise<void> {
    const { agent, fleet, device } = this.#parts;
    this.#reportDue = false;
    try {
      await broker.publish(topicOf(fleet, device, 'reported'), await agent.report(), true);
    } catch (error) {
      this.#reportDue = true;
      throw error;
    }
    this.#reportedAt = performance.now();
    if (this.#reportedAt - this.#openedAt > goodAfterMs) this.#backOff.reset();
    this.#contactAt = Date.now();
    this.#failure = null;
    agent.channelBack('mqtt');
  }

  #lost(broker: Broker, error: Error | null): void {
    if (this.#broker !== broker) return;
    this.#broker = null;
    if (this.#stopping) return;
    if (performance.now() - this.#openedAt > goodAfterMs) this.#backOff.reset();
    this.#failed(error === null ? remoteFault('REMOTE_UNREACHABLE') : asRemoteFault(error));
  }

  #failed(error: unknown): void {
    if (this.#stopping) return;
    const fault: GantryError = asRemoteFault(error);
    const now = performance.now();
    // A line that breaks may fail a publication, and is lost as well: that is one failure.
    if (now >= this.#pausedUntil) {
      const pauseMs = this.#backOff.next();
      this.#pausedUntil = now + pauseMs;
      this.#nextAt = Date.now() + pauseMs;
    }
    if (this.#failure?.code !== fault.code)
      this.#parts.log.warn(
        { channel: 'mqtt', code: fault.code, cause: causeOf(fault) },
        'the broker of central IT is not reached; intake goes on',
      );
    this.#failure = textOf(fault);
    this.#loop.notify();
  }
}

/** Kept by the broker; unsigned, and believed for nothing but a lamp. */
function presence(online: boolean): Buffer {
  return Buffer.from(JSON.stringify({ online, at: new Date().toISOString() }));
}
