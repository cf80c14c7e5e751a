import { createHash } from 'node:crypto';
import { dirname, join } from 'node:path';
import {
  type Disk,
  makeDirectoryDurably,
  nodeDisk,
  readWholeFile,
  writeFileDurably,
} from '../../../base/disk.ts';
import { type FailureText, systemErrorCode } from '../../../base/errors.ts';
import { Loop } from '../../../base/loop.ts';
import type { RemoteConfig } from '../../schema.ts';
import { documentBytesMax } from '../documents.ts';
import { remoteFault, textOf } from './faults.ts';
import {
  type Channel,
  type ChannelParts,
  type ChannelState,
  inOrder,
  recordPath,
  reportEveryMs,
} from './port.ts';

type UsbConfig = NonNullable<RemoteConfig['usb']>;

/** The folder on a stick that is ours; a stick without it is left alone. */
const folderName = 'gantry-fleet';

/**
 * A stick carried here: the same folder as the published record, with the report of this box written back to it.
 * It may be drawn at any time; what is half written then is not taken for a report.
 */
export class UsbChannel implements Channel {
  readonly #config: UsbConfig;
  readonly #parts: ChannelParts;
  readonly #disk: Disk;
  readonly #loop: Loop;
  /** Digests of what was read from the stick that is in, by path. */
  readonly #read = new Map<string, string>();
  #stick: string | null = null;
  #offReport: (() => void) | null = null;
  #reportDue = true;
  #reportedAt = Number.NEGATIVE_INFINITY;
  #contactAt: number | null = null;
  #failure: FailureText | null = null;

  constructor(config: UsbConfig, parts: ChannelParts, disk: Disk = nodeDisk) {
    this.#config = config;
    this.#parts = parts;
    this.#disk = disk;
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
    this.#offReport?.();
    await this.#loop.stop();
  }

  state(): ChannelState {
    return { kind: 'usb', contactAt: this.#contactAt, nextAt: null, failure: this.#failure };
  }

  async #round(): Promise<number> {
    const lookMs = this.#config.lookSeconds * 1000;
    const root = join(this.#config.folder, folderName);
    const facts = await this.#disk.facts(root);
    if (facts?.kind !== 'directory') {
      this.#stick = null;
      this.#failure = null;
      return lookMs;
    }
    if (this.#stick !== facts.identity) {
      this.#stick = facts.identity;
      this.#read.clear();
      this.#reportDue = true;
    }
    await this.#take(root);
    if (performance.now() - this.#reportedAt >= reportEveryMs) this.#reportDue = true;
    if (this.#reportDue) await this.#report(root);
    this.#failure = null;
    return lookMs;
  }

  async #take(root: string): Promise<void> {
    const { agent, fleet, device } = this.#parts;
    for (const kind of inOrder) {
      const path = join(root, recordPath(fleet, device, kind));
      const facts = await this.#disk.facts(path);
      if (facts?.kind !== 'file' || facts.bytes > documentBytesMax) continue;
      const bytes = await readWholeFile(this.#disk, path, documentBytesMax);
      if (bytes === null) continue;
      const digest = createHash('sha256').update(bytes).digest('hex');
      if (this.#read.get(path) === digest) continue;
      await agent.offer(kind, bytes, 'usb');
      this.#read.set(path, digest);
    }
  }

  async #report(root: string): Promise<void> {
    const { agent, fleet, device } = this.#parts;
    const path = join(root, recordPath(fleet, device, 'reported'));
    this.#reportDue = false;
    try {
      await makeDirectoryDurably(this.#disk, dirname(path));
      await writeFileDurably(this.#disk, path, await agent.report());
    } catch (error) {
      this.#reportDue = true;
      throw error;
    }
    this.#reportedAt = performance.now();
    this.#contactAt = Date.now();
    agent.channelBack('usb');
  }

  #failed(error: unknown): void {
    const fault = remoteFault('REMOTE_STICK', error);
    if (this.#failure === null)
      this.#parts.log.warn(
        { channel: 'usb', code: fault.code, cause: systemErrorCode(error) },
        'a stick is not read or written; intake goes on',
      );
    this.#failure = textOf(fault);
  }
}
