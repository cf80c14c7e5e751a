import { createTask, type ScheduledTask } from 'node-cron';
import { cronLogger } from '../../../base/cron-logger.ts';
import type { FailureText } from '../../../base/errors.ts';
import { Loop } from '../../../base/loop.ts';
import type { RemoteConfig } from '../../schema.ts';
import { BackOff, ownShare } from './back-off.ts';
import { asRemoteFault, causeOf, remoteFault, textOf } from './faults.ts';
import { Outward } from './outward.ts';
import {
  type Channel,
  type ChannelParts,
  type ChannelState,
  inOrder,
  recordPath,
  reportEveryMs,
} from './port.ts';
import { RecordClient, ServerBusyError } from './record-client.ts';

type HttpsConfig = NonNullable<RemoteConfig['https']>;

const backOffMs = { minMs: 10_000, maxMs: 15 * 60_000 };

/**
 * The published record at a web server, asked by schedule: each document with the ETag it had last, so that
 * "nothing new" costs some hundred bytes; the report of this box is put there. A server that fails is asked
 * again with growing pauses.
 */
export class HttpsChannel implements Channel {
  readonly #config: HttpsConfig;
  readonly #parts: ChannelParts;
  readonly #client: RecordClient;
  readonly #loop: Loop;
  readonly #backOff = new BackOff(backOffMs);
  readonly #etags = new Map<string, string>();
  #task: ScheduledTask | null = null;
  #offReport: (() => void) | null = null;
  #jitter: NodeJS.Timeout | null = null;
  /** What the next round has to do; a round at the start asks for all. */
  #askDue = true;
  #reportDue = true;
  #reportedAt = Number.NEGATIVE_INFINITY;
  /** Nothing is tried before (monotonic). */
  #pausedUntil = 0;
  /** The same by the wall clock, for people. */
  #pausedUntilAt: number | null = null;
  #stopping = false;
  #contactAt: number | null = null;
  #failure: FailureText | null = null;

  constructor(config: HttpsConfig, parts: ChannelParts) {
    this.#config = config;
    this.#parts = parts;
    this.#client = new RecordClient(config.url, new Outward(config, parts));
    this.#loop = new Loop({ round: () => this.#round(), failed: (error) => this.#failed(error) });
  }

  start(): void {
    const { poll, jitterSeconds } = this.#config;
    const { log, agent, device } = this.#parts;
    const due = () => {
      this.#askDue = true;
      this.#loop.notify();
    };
    this.#task = createTask(
      poll,
      () => {
        clearTimeout(this.#jitter ?? undefined);
        this.#jitter = setTimeout(due, ownShare(device, jitterSeconds * 1000));
        this.#jitter.unref();
      },
      { timezone: 'UTC', logger: cronLogger(log), unref: true },
    );
    void this.#task.start();
    this.#offReport = agent.onReport(() => {
      this.#reportDue = true;
      this.#loop.notifySoon();
    });
    this.#loop.start();
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    this.#offReport?.();
    clearTimeout(this.#jitter ?? undefined);
    await this.#task?.destroy();
    await this.#client.close();
    await this.#loop.stop();
  }

  state(): ChannelState {
    return { kind: 'https', contactAt: this.#contactAt, nextAt: this.#nextAt(), failure: this.#failure };
  }

  #nextAt(): number | null {
    if (this.#failure !== null) return this.#pausedUntilAt;
    const due = this.#task?.getNextRun() ?? null;
    return due && due.getTime() + ownShare(this.#parts.device, this.#config.jitterSeconds * 1000);
  }

  async #round(): Promise<number> {
    const now = performance.now();
    if (now < this.#pausedUntil) return this.#pausedUntil - now;
    if (now - this.#reportedAt >= reportEveryMs) this.#reportDue = true;
    if (this.#askDue) await this.#ask();
    if (this.#reportDue && this.#config.report) await this.#report();
    this.#backOff.reset();
    if (this.#failure !== null) this.#parts.log.info({ channel: 'https' }, 'central IT is reached again');
    this.#failure = null;
    // A report may have become due while this round went on.
    return this.#reportDue && this.#config.report ? 0 : reportEveryMs;
  }

  async #ask(): Promise<void> {
    const { agent, fleet, device } = this.#parts;
    let found = false;
    for (const kind of inOrder) {
      const path = recordPath(fleet, device, kind);
      const fetched = await this.#client.fetch(path, this.#etags.get(path) ?? null);
      if (fetched.kind !== 'none' && kind !== 'command' && kind !== 'certificate') found = true;
      if (fetched.kind !== 'new') continue;
      await agent.offer(kind, fetched.bytes, 'https');
      if (fetched.etag === null) this.#etags.delete(path);
      else this.#etags.set(path, fetched.etag);
    }
    this.#askDue = false;
    // A server that knows nothing of this fleet is not central IT, whatever it is.
    if (!found) throw remoteFault('REMOTE_ANSWER');
    this.#reached();
  }

  async #report(): Promise<void> {
    const { agent, fleet, device } = this.#parts;
    // First: what changes while it is under way is due again.
    this.#reportDue = false;
    try {
      await this.#client.put(recordPath(fleet, device, 'reported'), await agent.report());
    } catch (error) {
      this.#reportDue = true;
      throw error;
    }
    this.#reportedAt = performance.now();
    this.#reached();
  }

  #reached(): void {
    this.#contactAt = Date.now();
    this.#parts.agent.channelBack('https');
  }

  #failed(error: unknown): void {
    if (this.#stopping) return;
    const busy = error instanceof ServerBusyError;
    const fault = busy ? remoteFault('REMOTE_BUSY') : asRemoteFault(error);
    const pauseMs = Math.max(this.#backOff.next(), (busy ? error.afterMs : null) ?? 0);
    this.#pausedUntil = performance.now() + pauseMs;
    this.#pausedUntilAt = Date.now() + pauseMs;
    this.#askDue = true;
    if (this.#failure?.code !== fault.code)
      this.#parts.log.warn(
        { channel: 'https', code: fault.code, cause: causeOf(fault) },
        'central IT is not reached; intake goes on',
      );
    this.#failure = textOf(fault);
    this.#loop.notify();
  }
}
