import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Announced, StatusFeed, StatusPatch } from './status-feed.ts';

export interface EventStreamLimits {
  readonly clientsMax: number;
  /** A client that has more than this still to take when the next event comes is dropped. */
  readonly clientBufferBytesMax: number;
  readonly heartbeatMs: number;
  /** What browsers wait before they connect again. */
  readonly retryMs: number;
}

export interface EventStreamOptions {
  readonly feed: StatusFeed;
  readonly limits: EventStreamLimits;
  /** Wall-clock milliseconds since the epoch. */
  readonly now: () => number;
}

function eventText(name: string, data: unknown, id?: string): string {
  // One `data:` line is enough: JSON escapes line breaks.
  return `event: ${name}\n${id === undefined ? '' : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`;
}

/**
 * The event stream of `GET /api/v1/events` (WHATWG HTML §9.2): `snapshot` is a whole report, `patch` the
 * members that changed since the event before, `heartbeat` says the time while nothing changes. A comment
 * line goes out with every heartbeat, also while the status cannot be read: it keeps the connection open
 * without claiming that what is shown is still true.
 */
export class EventStreams {
  readonly #feed: StatusFeed;
  readonly #limits: EventStreamLimits;
  readonly #now: () => number;
  readonly #clients = new Set<ServerResponse>();
  /** Clients whose first event is being fetched; they hold a place. */
  #joining = 0;
  #heartbeat: NodeJS.Timeout | null = null;
  #unfollow: (() => void) | null = null;

  constructor({ feed, limits, now }: EventStreamOptions) {
    this.#feed = feed;
    this.#limits = limits;
    this.#now = now;
  }

  get full(): boolean {
    return this.#clients.size + this.#joining >= this.#limits.clientsMax;
  }

  /**
   * Answers with the stream; the connection is ours from here on.
   * @throws GantryError STATUS_UNREADABLE before anything was written
   */
  async join(
    request: IncomingMessage,
    response: ServerResponse,
    headers: Readonly<Record<string, string>>,
    hijack: () => void,
  ): Promise<void> {
    this.#joining += 1;
    try {
      const lastId = request.headers['last-event-id'];
      await this.#feed.update();
      // From here to following in one go, so that no announcement falls between the first event and the next.
      const { announced } = this.#feed;
      if (announced === null || response.destroyed) return;
      hijack();
      response.writeHead(200, headers);
      response.write(`retry: ${this.#limits.retryMs}\n\n${this.#firstEvent(announced, lastId)}`);
      this.#add(response);
    } finally {
      this.#joining -= 1;
    }
  }

  stop(): void {
    if (this.#heartbeat !== null) clearInterval(this.#heartbeat);
    this.#unfollow?.();
    for (const client of this.#clients) client.end();
    this.#clients.clear();
  }

  #firstEvent({ id, report }: Announced, lastId: string | string[] | undefined): string {
    const patch = typeof lastId === 'string' ? this.#feed.since(lastId) : null;
    return patch === null ? eventText('snapshot', report, id) : eventText('patch', patch, id);
  }

  #add(response: ServerResponse): void {
    this.#clients.add(response);
    response.on('close', () => this.#remove(response));
    response.on('error', () => this.#remove(response));
    this.#heartbeat ??= setInterval(() => this.#beat(), this.#limits.heartbeatMs);
    this.#unfollow ??= this.#feed.follow((announced, patch) => this.#tell(announced, patch));
  }

  #remove(response: ServerResponse): void {
    this.#clients.delete(response);
    if (this.#clients.size > 0) return;
    // Nobody looks: the feed need not either.
    this.#unfollow?.();
    this.#unfollow = null;
    if (this.#heartbeat !== null) clearInterval(this.#heartbeat);
    this.#heartbeat = null;
  }

  #tell(announced: Announced, patch: StatusPatch): void {
    const text = eventText('patch', patch, announced.id);
    for (const client of this.#clients) this.#write(client, text);
  }

  #beat(): void {
    const time = new Date(this.#now()).toISOString();
    const text = `: heartbeat\n${this.#feed.fresh ? eventText('heartbeat', { time }) : '\n'}`;
    for (const client of this.#clients) this.#write(client, text);
  }

  #write(client: ServerResponse, text: string): void {
    // Dropped rather than buffered: it comes back with its last id and gets what it missed in one event.
    if (client.writableLength > this.#limits.clientBufferBytesMax) client.destroy();
    else client.write(text);
  }
}
