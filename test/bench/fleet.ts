import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import { Broker } from '../../src/config/remote/channels/broker.ts';
import { MqttChannel } from '../../src/config/remote/channels/mqtt-channel.ts';
import { type ChannelAgent, topicOf } from '../../src/config/remote/channels/port.ts';
import { boxName, type InboundKind } from '../../src/config/remote/documents.ts';
import { keyIdOf, okpJwk, payloadOf, signPayload, verifySignatures } from '../../src/crypto/jws.ts';
import { eachOf, outwardOf } from '../../src/fleet/central-line.ts';
import { startMosquitto } from '../fixtures/mosquitto.ts';
import { channelParts, testFleet } from '../fixtures/recording-agent.ts';
import { until } from '../fixtures/until.ts';

const central = generateKeyPairSync('ed25519');
const centralKey = okpJwk(central.publicKey);
const trusted = new Map([[keyIdOf(centralKey), centralKey]]);

const patienceMs = 150_000;

/** A box as far as the line goes: checks the signature of what comes, and reports it, signed. */
class BenchBox implements ChannelAgent {
  readonly #key = generateKeyPairSync('ed25519').privateKey;
  #generation = 0;
  #tell: () => void = () => {};
  back = false;

  async offer(kind: InboundKind, bytes: Buffer): Promise<void> {
    const jws = JSON.parse(bytes.toString()) as Awaited<ReturnType<typeof signPayload>>;
    if (kind !== 'desired' || (await verifySignatures('gantry-desired', jws, trusted)).length === 0) return;
    this.#generation = (JSON.parse(payloadOf(jws).toString()) as { generation: number }).generation;
    this.#tell();
  }

  async report(): Promise<Buffer> {
    const state = { generation: this.#generation, filling: 'x'.repeat(1200) };
    return Buffer.from(
      JSON.stringify(await signPayload('gantry-reported', Buffer.from(JSON.stringify(state)), this.#key)),
    );
  }

  onReport(listener: () => void): () => void {
    this.#tell = listener;
    return () => (this.#tell = () => {});
  }

  channelBack(): void {
    this.back = true;
  }
}

/** Push to every box of a fleet over a real broker, and what it takes; boxes are the channel itself, in this process. */
export async function benchFleet(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      boxes: { type: 'string', default: '2000' },
      bytes: { type: 'string', default: '4096' },
      help: { type: 'boolean' },
    },
  });
  if (values.help === true) {
    console.log(
      'npm run bench -- fleet [--boxes 2000] [--bytes 4096]; many boxes need "ulimit -n" above their number',
    );
    return;
  }
  const [count, bytes] = [Number(values.boxes), Number(values.bytes)];
  await using mosquitto = await startMosquitto(
    (port) =>
      `listener ${port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\nmax_inflight_messages 100\n`,
  );
  const url = `mqtt://127.0.0.1:${mosquitto.port}`;
  const names = Array.from({ length: count }, (_, at) => boxName.parse(`BENCH-${at}`));
  const desk = await Broker.open(url, outwardOf({}), { clientId: 'desk', keepAliveSeconds: 60 });
  const reported = new Map<string, number>();
  desk.onMessage((topic, payload) => {
    const jws = JSON.parse(payload.toString()) as Parameters<typeof payloadOf>[0];
    reported.set(topic, (JSON.parse(payloadOf(jws).toString()) as { generation: number }).generation);
  });
  await desk.subscribe([`gantry/v1/${testFleet}/+/reported`]);
  const table = new Table({ head: ['step', 'boxes', 'seconds'] });
  const timed = async (step: string, work: () => Promise<void>): Promise<void> => {
    const from = performance.now();
    await work();
    table.push([step, count, ((performance.now() - from) / 1000).toFixed(2)]);
  };
  const signed = async (generation: number): Promise<Map<string, Buffer>> => {
    const made = new Map<string, Buffer>();
    await eachOf(names, 8, async (device) => {
      const payload = Buffer.from(JSON.stringify({ device, generation, filling: 'x'.repeat(bytes) }));
      made.set(
        device,
        Buffer.from(JSON.stringify(await signPayload('gantry-desired', payload, central.privateKey))),
      );
    });
    return made;
  };
  const push = async (documents: ReadonlyMap<string, Buffer>): Promise<void> =>
    eachOf(names, 200, (device) =>
      desk.publish(topicOf(testFleet, device, 'desired'), documents.get(device) ?? Buffer.alloc(0), true),
    );
  const allAt = (generation: number) => () =>
    reported.size === count && [...reported.values()].every((one) => one === generation);
  const [first, second] = [await signed(1), await signed(2)];
  await timed('keep all documents at the broker, acknowledged', () => push(first));
  const boxes = names.map((device) => {
    const agent = new BenchBox();
    const config = {
      url,
      caFile: null,
      clientCertificate: null,
      proxy: null,
      user: null,
      passwordFile: null,
      keepAliveSeconds: 600,
    };
    return { agent, channel: new MqttChannel(config, channelParts(agent, { device })) };
  });
  await timed('all connect, get theirs, report it', async () => {
    for (let at = 0; at < boxes.length; at += 100) {
      const group = boxes.slice(at, at + 100);
      for (const { channel } of group) channel.start();
      await until(() => group.every(({ agent }) => agent.back), patienceMs);
    }
    await until(allAt(1), patienceMs);
  });
  await timed('push to all, all reported back', async () => {
    await push(second);
    await until(allAt(2), patienceMs);
  });
  const memory = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${mosquitto.pid}/status`, 'utf8'))?.[1];
  console.log(table.toString());
  console.log(
    `broker: ${Math.round(Number(memory) / 1024)} MiB; all boxes: ${Math.round(process.memoryUsage.rss() / 1048576)} MiB`,
  );
  await eachOf(boxes, 200, ({ channel }) => channel.stop());
  await desk.close();
}
