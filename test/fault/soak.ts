import { readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ControlClient } from '../../src/cli/control-client.ts';
import { rssBytes } from '../bench/process-stats.ts';
import { type GatewayProcess, launchGateway } from '../fixtures/gateway-process.ts';
import { type HeapUse, ProcessInspector } from '../fixtures/process-inspector.ts';
import { ArchiveProcess } from './archive-process.ts';
import type { Campaign } from './campaign.ts';
import { type Judgement, Oracle } from './oracle.ts';
import { sendWave, SilentCrowd, storers, Troubles, Visitors } from './soak-load.ts';

export interface SoakShape {
  /** At the same time, in each wave. */
  readonly associations: number;
  readonly objectsEach: number;
  readonly connectsPerSecond: number;
  /** Associated and silent. */
  readonly idleAssociations: number;
  /** Connected and mute. */
  readonly muteSockets: number;
}

/** The limits by address stay as they are shipped: 16 associations, 16 connections without one. */
const perAddressMax = 16;
/** What two loaded cores may need to forward a wave. */
const calmMsMax = 600_000;

/** What the gateway holds, apart from its heap. */
export interface Held {
  /** Open associations, by its own account. */
  readonly associations: number;
  /** Open connections at the DICOM port, by the kernel's. */
  readonly sockets: number;
}

/** A gateway process, a sandbox archive, and everybody who calls. */
export class Soak implements AsyncDisposable {
  readonly troubles = new Troubles();
  readonly gateway: GatewayProcess;
  readonly #archive: ArchiveProcess;
  readonly #inspector: ProcessInspector;
  readonly #campaign: Campaign;
  readonly #shape: SoakShape;
  readonly #visitors: Visitors;
  readonly #crowd: SilentCrowd;
  #oracle = new Oracle();
  /** Answered 0000 so far. */
  acknowledgements = 0;

  private constructor(
    parts: { gateway: GatewayProcess; archive: ArchiveProcess; inspector: ProcessInspector },
    campaign: Campaign,
    shape: SoakShape,
  ) {
    this.gateway = parts.gateway;
    this.#archive = parts.archive;
    this.#inspector = parts.inspector;
    this.#campaign = campaign;
    this.#shape = shape;
    this.#visitors = new Visitors(this.gateway.dicomPort, shape.connectsPerSecond, this.troubles);
    this.#crowd = new SilentCrowd(this.gateway.dicomPort, this.troubles);
  }

  /** @param home an empty directory for everything on disk */
  static async start(home: string, campaign: Campaign, shape: SoakShape): Promise<Soak> {
    const archive = new ArchiveProcess(join(home, 'archive'));
    await archive.start();
    const gateway = await launchGateway(join(home, 'data'), soakConfig(archive.url), {
      nodeOptions: ['--inspect=127.0.0.1:0'],
    });
    const inspector = await ProcessInspector.connect(gateway);
    const soak = new Soak({ gateway, archive, inspector }, campaign, shape);
    await soak.#crowd.gather(shape.idleAssociations, 'associated', perAddressMax);
    await soak.#crowd.gather(shape.muteSockets, 'mute', perAddressMax);
    soak.#visitors.start();
    return soak;
  }

  get visits(): number {
    return this.#visitors.visits;
  }

  get aborts(): number {
    return this.#visitors.aborts;
  }

  /** Silent connections open now. */
  get silent(): number {
    return this.#crowd.size;
  }

  /** One wave of associations, to the last one released. */
  async wave(): Promise<void> {
    const before = this.#oracle.acknowledgements;
    await sendWave({
      port: this.gateway.dicomPort,
      associations: this.#shape.associations,
      objectsEach: this.#shape.objectsEach,
      campaign: this.#campaign,
      oracle: this.#oracle,
      troubles: this.troubles,
    });
    this.acknowledgements += this.#oracle.acknowledgements - before;
  }

  /** Waits until nothing is queued and the visitors have left, and collects garbage. They come again afterwards. */
  async heap(): Promise<HeapUse> {
    await this.gateway.until(({ queue }) => queue.instances === 0, calmMsMax);
    await this.#visitors.pause();
    const use = await this.#inspector.heapUse();
    this.#visitors.start();
    return use;
  }

  rssBytes(): number {
    return rssBytes(this.gateway.process.pid ?? 0);
  }

  /**
   * Judges all acknowledged since the last time, once nothing moves any more, and starts the archive anew with an
   * empty disk, so that the disk bounds nothing.
   */
  async judge(): Promise<Judgement> {
    const places = { dataDirectory: this.gateway.dataDirectory, archiveDirectory: this.#archive.directory };
    await this.gateway.until(({ queue }) => queue.instances === 0, calmMsMax);
    await untilPurged(this.gateway.dataDirectory);
    const judgement = await this.#oracle.judge(places);
    await this.#archive.kill();
    rmSync(this.#archive.directory, { recursive: true, force: true });
    this.#oracle = new Oracle();
    await this.#archive.start();
    return judgement;
  }

  async held(): Promise<Held> {
    const { intake } = await this.gateway.status();
    return { associations: intake.associations, sockets: openSockets(this.gateway) };
  }

  /** Everybody leaves. @returns what is held then: nothing, unless that does not come about in good time */
  async empty(): Promise<Held> {
    await this.#visitors.pause();
    await this.#crowd.leave();
    const deadline = performance.now() + calmMsMax;
    for (;;) {
      const held = await this.held();
      if ((held.associations === 0 && held.sockets === 0) || performance.now() > deadline) return held;
      await delay(500);
    }
  }

  /** SIGTERM; resolves to the exit code. A process does not end while it is inspected. */
  async stop(): Promise<number | null> {
    this.#inspector.close();
    return this.gateway.stop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#visitors.pause();
    await this.#crowd.leave();
    this.#inspector.close();
    await this.gateway.kill();
    await this.#archive.kill();
  }
}

function soakConfig(archiveUrl: string): object {
  const modalities = storers.map(({ name, aeTitle, address }) => [
    name,
    { aeTitle, addresses: [address], settleSeconds: 1 },
  ]);
  return {
    intake: { limits: { associationsMax: 1000, idleConnectionsMax: 1000, idleMs: 3_600_000 } },
    modalities: Object.fromEntries(modalities),
    // What is verified is purged at once, so that purging soaks as well.
    spool: { keepVerifiedHours: 0, purgeSchedule: '* * * * * *' },
    destinations: { cloud: { type: 'stow', url: archiveUrl, digestSample: 0.1 } },
  };
}

/** Until no verified object is kept any more: nothing moves on the disk then. */
async function untilPurged(dataDirectory: string): Promise<void> {
  await using control = new ControlClient(join(dataDirectory, 'control.sock'));
  const deadline = performance.now() + calmMsMax;
  for (;;) {
    const { entries } = await control.list({ state: 'verified', limit: 1 });
    if (entries.length === 0) return;
    if (performance.now() > deadline) throw new Error('verified objects are not purged');
    await delay(1000);
  }
}

/** Connections at the DICOM port that the process holds. */
function openSockets({ process: { pid }, dicomPort }: GatewayProcess): number {
  const folder = `/proc/${pid}/fd`;
  const held = new Set(readdirSync(folder).map((name) => linkOf(join(folder, name))));
  // proc(5): local address as hex, remote address, state, queues, timer, retransmissions, user, time-out, inode
  const rows = readFileSync(`/proc/${pid}/net/tcp`, 'latin1')
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/));
  return rows.filter(([, local = '', , state, , , , , , inode]) => {
    const ours = Number.parseInt(local.slice(-4), 16) === dicomPort && state !== listening;
    return ours && held.has(`socket:[${inode}]`);
  }).length;
}

const listening = '0A';

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    // Closed while we were looking.
    return '';
  }
}
