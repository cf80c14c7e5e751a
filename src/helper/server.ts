import { chmod, rm } from 'node:fs/promises';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { GantryError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { failed, type Helper } from './helper.ts';
import { type HelperAnswer, helperCall } from './verbs.ts';

const requestBytesMax = 8192;
const requestMsMax = 5000;
const connectionsMax = 8;

/** One connection, one request, one answer; each a line of JSON. */
export class HelperServer {
  readonly #server: Server;
  readonly #helper: Helper;
  readonly #log: Log;
  readonly #idle: (() => void) | null;
  readonly #idleMs: number;
  readonly #open = new Set<Socket>();
  #idleTimer: NodeJS.Timeout | null = null;

  /** @param idle called once nobody has asked for anything for so long; null: never */
  constructor(helper: Helper, log: Log, idle: { readonly ms: number; readonly call: () => void } | null) {
    this.#helper = helper;
    this.#log = log;
    this.#idle = idle?.call ?? null;
    this.#idleMs = idle?.ms ?? 0;
    // The answer of a peer that has closed its side still goes out.
    this.#server = createServer({ allowHalfOpen: true }, (socket) => this.#serve(socket));
    this.#server.maxConnections = connectionsMax;
  }

  /** @param at descriptor of a socket that systemd opened, or a path; who may open it is for the caller to say */
  async start(at: { readonly fd: number } | { readonly path: string }): Promise<void> {
    if ('path' in at) await rm(at.path, { force: true });
    this.#server.listen(at);
    await once(this.#server, 'listening');
    if ('path' in at) await chmod(at.path, 0o660);
    this.#awaitIdle();
  }

  async stop(): Promise<void> {
    clearTimeout(this.#idleTimer ?? undefined);
    this.#server.close();
    for (const socket of this.#open) socket.destroy();
  }

  #serve(socket: Socket): void {
    this.#open.add(socket);
    clearTimeout(this.#idleTimer ?? undefined);
    let text = '';
    const late = setTimeout(() => socket.destroy(), requestMsMax);
    socket.setEncoding('utf8');
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      clearTimeout(late);
      this.#open.delete(socket);
      this.#awaitIdle();
    });
    const take = (chunk: string): void => {
      text += chunk;
      if (text.length > requestBytesMax) return void socket.destroy();
      if (!text.includes('\n')) return;
      clearTimeout(late);
      socket.off('data', take);
      socket.resume();
      void this.#answer(text).then((answer) => socket.end(`${JSON.stringify(answer)}\n`));
    };
    socket.on('data', take);
  }

  async #answer(line: string): Promise<HelperAnswer> {
    let json: unknown;
    try {
      json = JSON.parse(line);
    } catch {
      return failed(badRequest('it is not JSON'));
    }
    const call = helperCall.safeParse(json);
    if (!call.success) {
      const [issue] = call.error.issues;
      const words = `${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`;
      this.#log.warn({ code: 'HELPER_BAD_REQUEST', issue: words }, 'a request was refused');
      return failed(badRequest(words));
    }
    return await this.#helper.answer(call.data);
  }

  #awaitIdle(): void {
    clearTimeout(this.#idleTimer ?? undefined);
    if (this.#idle === null || this.#open.size > 0) return;
    this.#idleTimer = setTimeout(() => {
      if (this.#helper.isBusy) this.#awaitIdle();
      else this.#idle?.();
    }, this.#idleMs);
  }
}

function badRequest(words: string): GantryError {
  return new GantryError({
    code: 'HELPER_BAD_REQUEST',
    kind: 'permanent',
    message: `The helper was asked for something it does not do (${words}).`,
    nextStep: 'Check what was entered.',
  });
}
