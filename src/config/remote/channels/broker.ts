import type { Socket } from 'node:net';
import type { IClientOptions, IPublishPacket, MqttClient } from 'mqtt';
import { systemErrorCode } from '../../../base/errors.ts';
import { asRemoteFault, remoteFault } from './faults.ts';
import type { Outward, Target } from './outward.ts';

/** From the CONNECT packet to its answer. */
const welcomeMs = 20_000;
/** More than that without a whole packet is not MQTT as we use it. */
const packetBytesMax = 1024 * 1024;
const packetWatchMs = 1000;

const ports: Readonly<Record<string, number>> = { 'mqtts:': 8883, 'wss:': 443, 'mqtt:': 1883, 'ws:': 80 };

export interface BrokerOptions {
  readonly clientId: string;
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  readonly keepAliveSeconds: number;
  /** What the broker tells the others when this client is lost; kept by it. */
  readonly will?: { readonly topic: string; readonly payload: Buffer };
  /** Longest packet that is asked for. */
  readonly packetBytesMax?: number;
}

/** Where the broker of a URL is reached. */
export function brokerTarget(url: string): Target {
  const parsed = new URL(url);
  const { protocol, port, hostname } = parsed;
  return {
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? (ports[protocol] ?? 0) : Number(port),
    secure: protocol === 'mqtts:' || protocol === 'wss:',
    ...(isWebSocket(parsed) && { alpn: ['http/1.1'] }),
  };
}

function isWebSocket({ protocol }: URL): boolean {
  return protocol === 'wss:' || protocol === 'ws:';
}

/** MQTT 5 (OASIS), or 3.1.1 where a broker knows no more. Nothing here needs what only 5 has. */
export type MqttVersion = 4 | 5;

/** A connection to a broker, once it has said welcome. It does not come back by itself: whoever has it opens another. */
export class Broker {
  readonly client: MqttClient;
  /** Resolves when the connection is over, with what broke it, where that is known. */
  readonly ended: Promise<Error | null>;

  readonly #waiting = new Set<(error: Error) => void>();
  #over = false;

  private constructor(client: MqttClient, ended: Promise<Error | null>) {
    this.client = client;
    this.ended = ended;
    void ended.then((error) => {
      for (const reject of this.#waiting) reject(error ?? new UnwelcomeError('connection closed'));
      this.#over = true;
    });
  }

  /** @throws GantryError REMOTE_* */
  static async open(
    url: string,
    outward: Outward,
    options: BrokerOptions,
    version: MqttVersion = 5,
  ): Promise<Broker> {
    const target = brokerTarget(url);
    const overWebSocket = isWebSocket(new URL(url));
    // Most boxes have no broker: what nobody uses takes no memory.
    const mqtt = await import('mqtt');
    let socket: Socket;
    try {
      socket = await outward.connect(target);
    } catch (error) {
      throw asRemoteFault(error);
    }
    const settings = clientOptions(options, version);
    const client = overWebSocket
      ? mqtt.connect(url, {
          ...settings,
          wsOptions: { createConnection: () => socket, maxPayload: packetBytesMax },
        })
      : new mqtt.MqttClient(() => socket, settings);
    return Broker.#welcome(client, socket);
  }

  /** @throws GantryError REMOTE_BUSY where the broker does not take it, REMOTE_SIGN_IN_REFUSED where it may not be written */
  async publish(topic: string, bytes: Buffer, retain: boolean): Promise<void> {
    try {
      await this.#whileOpen(this.client.publishAsync(topic, bytes, { qos: 1, retain }));
    } catch (error) {
      throw brokerFault(error);
    }
  }

  /** @throws GantryError REMOTE_SIGN_IN_REFUSED where one of them may not be read */
  async subscribe(topics: readonly string[]): Promise<void> {
    try {
      const granted = await this.#whileOpen(this.client.subscribeAsync([...topics], { qos: 1 }));
      if (granted.some(({ qos }) => qos >= 128)) throw remoteFault('REMOTE_SIGN_IN_REFUSED');
    } catch (error) {
      throw brokerFault(error);
    }
  }

  /** The library would wait for a connection that it is not to make. */
  async #whileOpen<T>(work: Promise<T>): Promise<T> {
    if (this.#over) throw new UnwelcomeError('connection closed');
    const broken = Promise.withResolvers<never>();
    this.#waiting.add(broken.reject);
    try {
      return await Promise.race([work, broken.promise]);
    } finally {
      this.#waiting.delete(broken.reject);
    }
  }

  onMessage(listener: (topic: string, bytes: Buffer, packet: IPublishPacket) => void): void {
    this.client.on('message', listener);
  }

  /** Says goodbye, which keeps the will from being told; at most two seconds. */
  async close(): Promise<void> {
    const patience = setTimeout(() => this.client.end(true), 2000);
    try {
      await this.client.endAsync();
    } finally {
      clearTimeout(patience);
    }
  }

  static async #welcome(client: MqttClient, socket: Socket): Promise<Broker> {
    let last: Error | null = null;
    let mark = 0;
    client.on('error', (error) => (last = error));
    socket.on('error', (error) => (last = error));
    client.on('packetreceive', () => (mark = socket.bytesRead));
    const watch = setInterval(() => {
      if (socket.bytesRead - mark > 2 * packetBytesMax) socket.destroy(remoteFault('REMOTE_TOO_LARGE'));
    }, packetWatchMs);
    watch.unref();
    const ended = new Promise<Error | null>((resolve) => {
      client.once('close', () => {
        clearInterval(watch);
        resolve(last);
      });
    });
    const patience = setTimeout(() => socket.destroy(remoteFault('REMOTE_TIMEOUT')), welcomeMs);
    const welcome = new Promise<'welcome'>((resolve) => client.once('connect', () => resolve('welcome')));
    const first = await Promise.race([welcome, ended]);
    clearTimeout(patience);
    if (first === 'welcome') return new Broker(client, ended);
    client.end(true);
    socket.destroy();
    throw brokerFault(first ?? new UnwelcomeError());
  }
}

/** The broker hung up without a word: what 3.1.1 brokers do when they are spoken to in version 5. */
export class UnwelcomeError extends Error {}

function clientOptions(options: BrokerOptions, version: MqttVersion): IClientOptions {
  const { clientId, user, password, keepAliveSeconds, will } = options;
  return {
    clientId,
    protocolVersion: version,
    clean: true,
    keepalive: keepAliveSeconds,
    connectTimeout: welcomeMs,
    // Whoever has the connection opens the next one, with files read anew and pauses that grow.
    reconnectPeriod: 0,
    resubscribe: false,
    queueQoSZero: false,
    ...(user !== undefined && { username: user }),
    ...(password !== undefined && { password }),
    ...(will !== undefined && { will: { ...will, qos: 1, retain: true } }),
    ...(version === 5 && { properties: { maximumPacketSize: options.packetBytesMax ?? packetBytesMax } }),
  };
}

/** Codes of CONNACK, SUBACK and PUBACK: of 3.1.1 (1 to 5) and of 5 (from 128). */
const otherVersionCodes = new Set([1, 0x84]);
const signInCodes = new Set([4, 5, 0x86, 0x87, 0x8a, 0x8c]);
const busyCodes = new Set([3, 0x88, 0x89, 0x97, 0x9f]);

/** Whether another version of MQTT may help. */
export function wantsOtherVersion(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : null;
  return cause instanceof UnwelcomeError || otherVersionCodes.has(reasonCode(cause) ?? 0);
}

function brokerFault(error: unknown): Error {
  const code = reasonCode(error);
  if (code === null) {
    if (error instanceof UnwelcomeError) return remoteFault('REMOTE_ANSWER', error);
    return asRemoteFault(error);
  }
  if (signInCodes.has(code)) return remoteFault('REMOTE_SIGN_IN_REFUSED', error);
  return remoteFault(busyCodes.has(code) ? 'REMOTE_BUSY' : 'REMOTE_ANSWER', error);
}

/** The library puts the reason of MQTT into `code` as a number. */
function reasonCode(error: unknown): number | null {
  if (systemErrorCode(error) !== null) return null;
  const code: unknown = error instanceof Error && 'code' in error ? error.code : null;
  return typeof code === 'number' ? code : null;
}
