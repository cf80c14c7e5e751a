import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { DimseSender } from '../../src/demo/dimse-sender.ts';
import { freePorts } from '../fixtures/apply-bench.ts';
import { temporaryDirectory } from '../fixtures/data-directory.ts';
import { ctSlice, type MadeInstance } from '../fixtures/dicom-objects.ts';
import { type GatewayProcess, launchGateway } from '../fixtures/gateway-process.ts';
import { until } from '../fixtures/until.ts';
import { gantry, patienceMs } from './peers.ts';

/*
 * A real gateway is given other configurations while a modality sends, and is killed while one is on trial. What was
 * answered 0000 arrives, and whatever was not confirmed is gone after the start.
 */

const directory = temporaryDirectory();
afterAll(() => directory[Symbol.dispose]());

/** A folder that takes images. */
function folder(name: string): string {
  const path = join(directory.path, name);
  mkdirSync(path);
  writeFileSync(join(path, '.gantry-folder'), '');
  return path;
}

/** SOP Instance UIDs of the files below the folders. */
function arrived(...folders: string[]): Set<string> {
  const uids = folders.flatMap((path) =>
    readdirSync(path, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name !== '.gantry-folder')
      .map((entry) => uidIn(readFileSync(join(entry.parentPath, entry.name)))),
  );
  return new Set(uids);
}

/** (0002,0003) MediaStorageSOPInstanceUID. */
function uidIn(file: Buffer): string {
  const at = file.indexOf(Buffer.from([0x02, 0x00, 0x03, 0x00, 0x55, 0x49]));
  return file.toString('latin1', at + 8, at + 8 + file.readUInt16LE(at + 6)).replace(/\0$/, '');
}

/** A modality that sends one image after the other until it is told to stop, and calls again where a line ends. */
class Sending {
  readonly acknowledged: string[] = [];
  /** Associations that ended by anything but their release. */
  broken = 0;
  readonly refused: number[] = [];
  #stopped = false;
  readonly #done: Promise<void>;

  constructor(port: () => number) {
    this.#done = this.#run(port);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#done;
  }

  async #run(port: () => number): Promise<void> {
    for (let seed = 0; !this.#stopped; ) {
      try {
        const first = ctSlice({ rows: 8, columns: 8, seed });
        const sender = await DimseSender.connect({
          host: '127.0.0.1',
          port: port(),
          callingAeTitle: 'CT1',
          calledAeTitle: 'GANTRY',
          contexts: [{ SOPClassUID: first.SOPClassUID, transferSyntaxes: [first.TransferSyntaxUID] }],
        });
        for (let count = 0; count < 40 && !this.#stopped; count += 1, seed += 1) {
          await this.#store(sender, ctSlice({ rows: 8, columns: 8, seed }));
        }
        await sender.release();
      } catch {
        this.broken += 1;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  }

  async #store(sender: DimseSender, made: MadeInstance): Promise<void> {
    const { status } = await sender.store(made);
    if (status === 0) this.acknowledged.push(made.SOPInstanceUID);
    else this.refused.push(status);
  }
}

/** Acknowledged, and in none of the folders. */
function missing({ acknowledged }: Sending, ...folders: string[]): string[] {
  const there = arrived(...folders);
  return acknowledged.filter((uid) => !there.has(uid));
}

interface Box {
  readonly data: string;
  readonly nas: string;
  readonly other: string;
  readonly text: (siteName: string, more?: object) => object;
}

async function box(name: string): Promise<Box> {
  const [dicom = 0, web = 0] = await freePorts(2);
  const [nas, other] = [folder(`${name}-nas`), folder(`${name}-other`)];
  return {
    data: join(directory.path, name),
    nas,
    other,
    text: (siteName, more = {}) => ({
      compression: { mode: 'off' },
      site: { name: siteName },
      destinations: { nas: { type: 'folder', path: nas }, other: { type: 'folder', path: other } },
      routes: { default: { to: ['nas'] } },
      intake: { host: '127.0.0.1', port: dicom, unknownCallers: 'accept' },
      web: { host: '127.0.0.1', port: web, https: null },
      spool: { reserveBytes: 50_000_000, preparedBytes: 0 },
      ...more,
    }),
  };
}

async function offer(data: string, config: object, ...more: string[]): Promise<number | null> {
  const file = `${data}.offered.json`;
  writeFileSync(file, JSON.stringify(config));
  return (await gantry('config', 'apply', file, '--data', data, ...more)).code;
}

const confirmed = (gateway: GatewayProcess, siteName: string) =>
  gateway.until(({ site, config }) => site.name === siteName && config.central?.phase === 'idle', patienceMs);

test(
  'killed at any moment of a trial it starts under the old configuration, and keeps what it answered for',
  async () => {
    const { data, nas, text } = await box('killed');
    const old = text('Old');
    let gateway = await launchGateway(data, old, {});
    const sending = new Sending(() => gateway.dicomPort);
    for (const afterMs of [0, 150, 400, 700, 1000, 1500]) {
      const offered = offer(
        data,
        text('Tried', { modalities: { ct1: { aeTitle: 'CT1' } } }),
        '--confirm',
        '10m',
      );
      await new Promise((resolve) => setTimeout(resolve, afterMs));
      if (afterMs >= 1000) await gateway.until(({ site }) => site.name === 'Tried', patienceMs);
      await gateway.kill();
      await offered;
      gateway = await launchGateway(data, old, {});
      const { site, config } = await gateway.status();
      expect([site.name, config.central?.phase]).toEqual(['Old', 'idle']);
    }
    const before = sending.acknowledged.length;
    await until(() => sending.acknowledged.length > before + 5, patienceMs);
    await sending.stop();
    expect(sending.refused).toEqual([]);
    await until(() => missing(sending, nas).length === 0, patienceMs);
    expect(sending.acknowledged.length).toBeGreaterThan(10);
    await gateway.stop();
  },
  patienceMs * 2,
);

test(
  'whatever part of a configuration changes, no association of a modality ends, and each image goes where it was routed',
  async () => {
    const { data, nas, other, text } = await box('changed');
    const gateway = await launchGateway(data, text('First'), {});
    const sending = new Sending(() => gateway.dicomPort);
    const elsewhere = { routes: { default: { to: ['other'] } } };
    const base = text('') as { intake: object };
    const changes = [
      { modalities: { ct1: { aeTitle: 'CT1' } } },
      { ...elsewhere },
      { ...elsewhere, intake: { ...base.intake, aeTitle: 'RENAMED' } },
      { ...elsewhere, intake: { ...base.intake, limits: { associationsMax: 9 } } },
      { intake: { ...base.intake, tls: { port: (await freePorts(1))[0] } } },
    ];
    for (const [index, change] of changes.entries()) {
      const name = `Change ${index}`;
      const before = sending.acknowledged.length;
      expect(await offer(data, text(name, change))).toBe(0);
      await confirmed(gateway, name);
      await until(() => sending.acknowledged.length > before + 10, patienceMs);
    }
    await sending.stop();
    expect([sending.broken, sending.refused]).toEqual([0, []]);
    await until(() => missing(sending, nas, other).length === 0, patienceMs);
    for (const path of [nas, other]) expect(arrived(path).size).toBeGreaterThan(10);
    await gateway.stop();
  },
  patienceMs * 2,
);
