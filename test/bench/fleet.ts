import { generateKeyPairSync } from 'node:crypto';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import { Broker } from '../../src/config/remote/channels/broker.ts';
import { topicOf } from '../../src/config/remote/channels/port.ts';
import { type BoxName, type ReportedState } from '../../src/config/remote/documents.ts';
import { payloadOf } from '../../src/crypto/jws.ts';
import { outwardOf } from '../../src/fleet/central-line.ts';
import { collect } from '../../src/fleet/collect.ts';
import { Desk } from '../../src/fleet/desk.ts';
import { readFleetFolder } from '../../src/fleet/fleet-folder.ts';
import { publish } from '../../src/fleet/publish.ts';
import { renderFleet, writePayloads } from '../../src/fleet/render.ts';
import { readReports } from '../../src/fleet/reports.ts';
import { type RolloutReport, Rollouts } from '../../src/fleet/rollouts.ts';
import { signRendered } from '../../src/fleet/sign.ts';
import { writeTimestamp } from '../../src/fleet/timestamp.ts';
import { temporaryDirectory } from '../fixtures/data-directory.ts';
import { type Mosquitto, startMosquitto } from '../fixtures/mosquitto.ts';
import { until } from '../fixtures/until.ts';
import { startBoxes } from './fleet-boxes.ts';
import { badReserve, boxAt, simulated, writeFleet, writeLayer, writeRollout } from './fleet-fleet.ts';
import { benchPoll } from './fleet-poll.ts';
import { rssBytes, RssWatch } from './process-stats.ts';

const patienceMs = 300_000;
const key = generateKeyPairSync('ed25519').privateKey;

/**
 * Central IT's desk and a fleet of live boxes with a real broker between them: every command of the desk in the order
 * of the README, and how long each takes; a rollout that stops by itself; what a poll over HTTPS costs.
 */
export async function benchFleet(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      boxes: { type: 'string', default: '2000' },
      documents: { type: 'string' },
      'no-rollout': { type: 'boolean' },
      poll: { type: 'boolean' },
      help: { type: 'boolean' },
    },
  });
  if (values.help === true) {
    console.log(
      'npm run bench -- fleet [--boxes 2000] [--documents N] [--no-rollout] [--poll]\n' +
        'boxes that are live, and documents in all; many boxes need "ulimit -n" above their number; --poll: HTTPS only',
    );
    return;
  }
  if (values.poll === true) return benchPoll();
  const boxes = Number(values.boxes);
  await using simulation = await Simulation.start(boxes, Number(values.documents ?? boxes));
  await simulation.first();
  await simulation.change();
  await simulation.one();
  if (values['no-rollout'] !== true) await simulation.rollout();
  simulation.show();
}

class Simulation implements AsyncDisposable {
  readonly #boxes: number;
  readonly #documents: number;
  readonly #directory: string;
  readonly #out: string;
  readonly #mosquitto: Mosquitto;
  readonly #watcher: Broker;
  readonly #stack: AsyncDisposableStack;
  readonly #table = new Table({
    head: ['step', 'boxes', 'seconds', 'CPU s of the desk'],
    style: { head: [] },
  });
  readonly #reported = new Map<string, ReportedState['config']>();
  readonly #memory = new RssWatch(process.pid, 500);
  #boxPid = 0;

  private constructor(parts: {
    boxes: number;
    documents: number;
    folder: string;
    mosquitto: Mosquitto;
    watcher: Broker;
    stack: AsyncDisposableStack;
  }) {
    this.#boxes = parts.boxes;
    this.#documents = parts.documents;
    this.#directory = join(parts.folder, 'fleet');
    this.#out = join(parts.folder, 'out');
    this.#mosquitto = parts.mosquitto;
    this.#watcher = parts.watcher;
    this.#stack = parts.stack;
    this.#watcher.onMessage((topic, bytes) => this.#heard(topic, bytes));
  }

  static async start(boxes: number, documents: number): Promise<Simulation> {
    const stack = new AsyncDisposableStack();
    const folder = stack.use(temporaryDirectory());
    const mosquitto = stack.use(
      await startMosquitto(
        (port) =>
          `listener ${port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\nmax_inflight_messages 100\n`,
      ),
    );
    const url = `mqtt://127.0.0.1:${mosquitto.port}`;
    const watcher = await Broker.open(url, outwardOf({}), { clientId: 'watcher', keepAliveSeconds: 60 });
    stack.defer(() => watcher.close());
    await watcher.subscribe([`gantry/v1/${simulated}/+/reported`]);
    return new Simulation({ boxes, documents, folder: folder.path, mosquitto, watcher, stack });
  }

  /** Everything is new: documents for all, then the boxes come. */
  async first(): Promise<void> {
    const trust = await writeFleet(this.#directory, this.#documents, key);
    await this.#give('first');
    const { port } = this.#mosquitto;
    await this.#timed('boxes connect, take theirs up and report it', async () => {
      const url = `mqtt://127.0.0.1:${port}`;
      const process = this.#stack.use(await startBoxes({ url, count: this.#boxes, trust }));
      this.#boxPid = process.pid;
      await this.#allApplied(1);
    });
    await this.#collect();
  }

  /** One layer changes for all. */
  async change(): Promise<void> {
    writeLayer(this.#directory, 3_000_000_000);
    await this.#prepare('second');
    await this.#timed('publish to all, all have reported it back', async () => {
      const all = this.#allApplied(2);
      await this.#publish('second');
      await all;
    });
    await this.#collect();
  }

  /** One document of one box, from publishing to its report. */
  async one(): Promise<void> {
    const box = boxAt(0);
    const from = performance.now();
    const cpu = ownSeconds();
    const desk = await this.#desk();
    const outcome = await renderFleet(desk, { device: box, again: true, now: new Date() });
    if (!outcome.ok) throw new Error('the folder is not right');
    await writePayloads(this.#out, outcome.rendered);
    for await (const _ of signRendered(this.#out, key, box));
    this.#note('render and sign for one box alone', from, cpu);
    await this.#timed('publish to one box, it has reported it back', async () => {
      const all = this.#applied([box], 3);
      await this.#publish('one', false, box);
      await all;
    });
  }

  /** A change that one box in twenty-five refuses. */
  async rollout(): Promise<void> {
    const id = 'bad';
    writeLayer(this.#directory, badReserve);
    writeRollout(this.#directory, id);
    let report = await this.#rolling('rollout: start', (rollouts, reports) => rollouts.start(id, reports));
    for (let step = 1; report.phase === 'running'; step += 1) {
      report = await this.#rolling(`rollout: step ${step}`, (rollouts, reports) =>
        rollouts.step(id, reports),
      );
      if (report.changed.length === 0) continue;
      const generations = await this.#prepare(`step ${step}`);
      const changed = report.changed.map((device) => [device, generations.get(device) ?? 0] as const);
      await this.#timed(
        `rollout: publish to the ${changed.length} of step ${step}, all have answered`,
        async () => {
          await this.#publish(`step ${step}`, false);
          await until(
            () => changed.every(([device, generation]) => this.#settled(device, generation)),
            patienceMs,
          );
        },
      );
      await this.#collect();
    }
    const { phase, wave, waves, counts, words } = report;
    console.log(
      `rollout: ${phase} in wave ${wave} of ${waves}; ${counts.waiting} boxes not touched; ${words}`,
    );
  }

  show(): void {
    const megabytes = (bytes: number): string => `${Math.round(bytes / 1_048_576)} MiB`;
    const broker = `broker ${megabytes(rssBytes(this.#mosquitto.pid))}`;
    const boxes = `all boxes ${megabytes(rssBytes(this.#boxPid))}`;
    console.log(this.#table.toString());
    console.log(
      `${this.#boxes} boxes live, ${this.#documents} documents; memory: ${broker}, ${boxes}, desk and simulation at most ${megabytes(this.#memory.stop() - rssBytes(this.#mosquitto.pid) - rssBytes(this.#boxPid))}`,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#memory.stop();
    await this.#stack.disposeAsync();
  }

  async #desk(): Promise<Desk> {
    return new Desk(await readFleetFolder(this.#directory));
  }

  async #give(what: string): Promise<void> {
    await this.#prepare(what);
    await this.#publish(what);
  }

  /** @returns the generation of each box */
  async #prepare(what: string): Promise<Map<string, number>> {
    const generations = new Map<string, number>();
    await this.#timed(`${what}: read the folder, lint and render`, async () => {
      const outcome = await renderFleet(await this.#desk(), { now: new Date() });
      if (!outcome.ok) throw new Error('the folder is not right');
      await writePayloads(this.#out, outcome.rendered);
      for (const { device, generation } of outcome.rendered) generations.set(device, generation);
    });
    await this.#timed(`${what}: sign`, async () => {
      for await (const _ of signRendered(this.#out, key, null));
    });
    await this.#timed(`${what}: timestamp`, async () => {
      const times = { validHours: 72, now: new Date() };
      await writeTimestamp({ directory: this.#directory, out: this.#out, key, ...times });
    });
    return generations;
  }

  async #publish(what: string, shown = true, device?: string): Promise<void> {
    const from = performance.now();
    const cpu = ownSeconds();
    const url = `mqtt://127.0.0.1:${this.#mosquitto.port}`;
    await publish(this.#out, { kind: 'mqtt', url, signIn: {} }, { device });
    if (shown) this.#note(`${what}: publish, acknowledged by the broker`, from, cpu);
  }

  async #collect(): Promise<void> {
    await this.#timed('collect the reports', async () => {
      const { devices } = await readFleetFolder(this.#directory);
      const keys = new Map(
        [...devices.values()].flatMap(({ value }) =>
          value.keys === undefined ? [] : [[value.id, value.keys.sign] as const],
        ),
      );
      const url = `mqtt://127.0.0.1:${this.#mosquitto.port}`;
      const from = { kind: 'mqtt', url, signIn: {} } as const;
      const { refused } = await collect({ fleet: simulated, keys, from, reports: `${this.#out}-reports` });
      if (refused.length > 0) throw new Error(`${refused.length} reports are not believed`);
    });
  }

  async #rolling(
    what: string,
    work: (rollouts: Rollouts, reports: ReadonlyMap<string, ReportedState>) => Promise<RolloutReport>,
  ): Promise<RolloutReport> {
    let report: RolloutReport | null = null;
    await this.#timed(what, async () => {
      const { reports } = await readReports([`${this.#out}-reports`]);
      report = await work(new Rollouts(await this.#desk(), new Date()), reports);
    });
    if (report === null) throw new Error('no report');
    return report;
  }

  async #timed(step: string, work: () => Promise<void>): Promise<void> {
    const from = performance.now();
    const cpu = ownSeconds();
    await work();
    this.#note(step, from, cpu);
  }

  #note(step: string, from: number, cpu: number): void {
    const seconds = ((performance.now() - from) / 1000).toFixed(2);
    this.#table.push([step, this.#boxes, seconds, (ownSeconds() - cpu).toFixed(1)]);
    console.error(`${step}: ${seconds} s`);
  }

  #heard(topic: string, bytes: Buffer): void {
    // What "collect" sends to itself is no report.
    if (!topic.includes('/BENCH-')) return;
    const jws = JSON.parse(bytes.toString()) as Parameters<typeof payloadOf>[0];
    const { config } = JSON.parse(payloadOf(jws).toString()) as ReportedState;
    this.#reported.set(topic, config);
  }

  #allApplied(generation: number): Promise<void> {
    return this.#applied(
      Array.from({ length: this.#boxes }, (_, at) => boxAt(at)),
      generation,
    );
  }

  async #applied(boxes: readonly BoxName[], generation: number): Promise<void> {
    await until(() => boxes.every((box) => this.#of(box)?.appliedGeneration === generation), patienceMs);
  }

  /** Whether it has said what became of that generation. */
  #settled(box: string, generation: number): boolean {
    const config = this.#of(box as BoxName);
    return (
      config?.observedGeneration === generation && /^(?:Applied|Rejected|RolledBack)$/.test(config.phase)
    );
  }

  #of(box: BoxName): ReportedState['config'] | undefined {
    return this.#reported.get(topicOf(simulated, box, 'reported'));
  }
}

/** CPU seconds of this process alone. */
function ownSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000_000;
}
