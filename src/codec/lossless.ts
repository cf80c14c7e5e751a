import type { Worker } from 'node:worker_threads';
import { startOwnThread } from '../base/own-files.ts';
import type { CodecReply, CodecTask } from './codec-tasks.ts';
import type { CodecName, FrameFormat } from './frame-format.ts';
import { codecLimits } from './limits.ts';
import { PassThrough } from './pass-through.ts';
import type { ElementEncoding } from './reencode.ts';

/** What preparation and restoration need of the engines. Buffers given are given away. */
export interface FrameCodec {
  /** Frames that are worked on at the same time. */
  readonly width: number;
  /** @throws PassThrough where the codec does not carry the frame as it is, or the engine failed */
  encode(codec: CodecName, format: FrameFormat, frame: Buffer): Promise<Buffer>;
  /** @throws PassThrough where the engine failed */
  decode(codec: CodecName, format: FrameFormat, stream: Buffer): Promise<Buffer>;
  /** Writes elements in another encoding. @throws PassThrough where that cannot be done with certainty */
  reencode(
    bytes: Buffer,
    from: ElementEncoding,
    to: ElementEncoding,
    pixelRepresentation: number,
  ): Promise<Buffer>;
}

export interface CodecPoolOptions {
  readonly workersMax: number;
  /** How long a thread stays, with the engines' memory, when there is nothing to do. */
  readonly idleMs: number;
  /** A thread died or trapped, or took too long; the next task gets a new one. */
  threadFailed(message: string): void;
}

interface Job {
  readonly task: CodecTask;
  resolve(bytes: Buffer): void;
  reject(error: Error): void;
}

/**
 * The threads of the codec. A thread starts when there is work and ends when there is none for a while; one that
 * dies or traps fails only what it was working on. Whoever asks bounds the queue: it waits for its answers.
 */
export class CodecPool implements FrameCodec {
  readonly width: number;
  readonly #options: CodecPoolOptions;
  readonly #waiting: Job[] = [];
  readonly #threads = new Set<CodecThread>();
  #stopped = false;

  constructor(options: CodecPoolOptions) {
    this.#options = options;
    this.width = options.workersMax;
  }

  encode(codec: CodecName, format: FrameFormat, frame: Buffer): Promise<Buffer> {
    return this.#run({ kind: 'encode', codec, format, bytes: frame });
  }

  decode(codec: CodecName, format: FrameFormat, stream: Buffer): Promise<Buffer> {
    return this.#run({ kind: 'decode', codec, format, bytes: stream });
  }

  reencode(
    bytes: Buffer,
    from: ElementEncoding,
    to: ElementEncoding,
    pixelRepresentation: number,
  ): Promise<Buffer> {
    return this.#run({ kind: 'reencode', from, to, pixelRepresentation, bytes });
  }

  /** Threads there are at present. */
  get threads(): number {
    return this.#threads.size;
  }

  /** Ends all threads; what they were working on fails. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const job of this.#waiting.splice(0)) job.reject(new PassThrough('engine'));
    await Promise.all([...this.#threads].map((thread) => thread.end('stopped')));
  }

  #run(task: CodecTask): Promise<Buffer> {
    if (this.#stopped) return Promise.reject(new PassThrough('engine'));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ task, resolve, reject });
      this.#assign();
    });
  }

  #assign(): void {
    while (this.#waiting.length > 0 && !this.#stopped) {
      const thread = this.#freeThread();
      if (thread === null) return;
      const job = this.#waiting.shift();
      if (job !== undefined) thread.work(job);
    }
  }

  #freeThread(): CodecThread | null {
    for (const thread of this.#threads) if (thread.free) return thread;
    if (this.#threads.size >= this.#options.workersMax) return null;
    const thread: CodecThread = new CodecThread(this.#options, {
      freed: () => this.#assign(),
      ended: () => {
        this.#threads.delete(thread);
        this.#assign();
      },
    });
    this.#threads.add(thread);
    return thread;
  }
}

interface ThreadEvents {
  freed(): void;
  ended(): void;
}

class CodecThread {
  readonly #worker: Worker;
  readonly #options: CodecPoolOptions;
  readonly #events: ThreadEvents;
  #job: Job | null = null;
  #timer: NodeJS.Timeout | undefined;
  #ended = false;

  constructor(options: CodecPoolOptions, events: ThreadEvents) {
    this.#options = options;
    this.#events = events;
    this.#worker = startOwnThread(new URL('./codec-worker.ts', import.meta.url));
    // A thread at rest does not keep the process alive.
    this.#worker.unref();
    this.#worker.on('message', (reply: CodecReply) => this.#answered(reply));
    this.#worker.on('error', (error) => void this.end(error.message));
    this.#worker.on('exit', () => void this.end('the thread ended'));
  }

  get free(): boolean {
    return this.#job === null && !this.#ended;
  }

  work(job: Job): void {
    this.#job = job;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.end('the engine took too long'), codecLimits.frameMsMax).unref();
    this.#worker.ref();
    const bytes = ownMemory(job.task.bytes);
    this.#worker.postMessage({ ...job.task, bytes }, [bytes.buffer]);
  }

  /** Ends the thread; what it was working on fails. */
  async end(because: string): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#timer);
    const job = this.#job;
    this.#job = null;
    if (because !== 'stopped' && because !== 'idle') this.#options.threadFailed(because);
    job?.reject(new PassThrough('engine', { otherCodecMayFit: because !== 'stopped' }));
    await this.#worker.terminate();
    this.#events.ended();
  }

  #answered(reply: CodecReply): void {
    const job = this.#job;
    if (job === null || this.#ended) return;
    // After a trap nothing is known of the engine's memory.
    if (!reply.ok && reply.reason === 'engine') {
      void this.end(reply.message);
      return;
    }
    this.#job = null;
    clearTimeout(this.#timer);
    this.#worker.unref();
    this.#timer = setTimeout(() => void this.end('idle'), this.#options.idleMs).unref();
    if (reply.ok) job.resolve(Buffer.from(reply.bytes.buffer, reply.bytes.byteOffset, reply.bytes.length));
    else job.reject(new PassThrough(reply.reason, { otherCodecMayFit: reply.otherCodecMayFit }));
    this.#events.freed();
  }
}

/** Bytes that fill their memory alone, so that it can be handed over; aligned for 16-bit samples. */
function ownMemory(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const { buffer } = bytes;
  const alone = bytes.byteOffset === 0 && bytes.length === buffer.byteLength;
  return alone && buffer instanceof ArrayBuffer ? new Uint8Array(buffer) : new Uint8Array(bytes);
}
