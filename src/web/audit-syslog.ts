import { once } from 'node:events';
import { connect, type TLSSocket } from 'node:tls';
import { hostname } from 'node:os';
import { systemErrorCode } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { Loop } from '../base/loop.ts';
import type { AuditEntry, AuditLog } from './audit-log.ts';
import { auditMessage, type AuditSource } from './audit-message.ts';

export interface AuditSyslogOptions {
  readonly host: string;
  readonly port: number;
  /** PEM text of the authority; null: those this system trusts. */
  readonly ca: () => Promise<string | null>;
  readonly source: AuditSource;
  readonly audit: AuditLog;
  /** Number of the last entry that was sent, over restarts. */
  readonly sent: { read(): Promise<number>; write(number: number): Promise<void> };
  readonly log: Log;
}

const connectMs = 10_000;
const retryMs = 30_000;
const idleMs = 60_000;

/**
 * Sends the audit log on: syslog (RFC 5424) over TLS with counted octets (RFC 5425), as PS3.15 A.6 asks. What could not
 * be sent is sent once the line is back; after a break some may be sent twice, none is left out as long as it is kept.
 */
export class AuditSyslog {
  readonly #options: AuditSyslogOptions;
  readonly #log: Log;
  readonly #sending: Loop;
  #unfollow: (() => void) | null = null;
  #failing = false;

  constructor(options: AuditSyslogOptions) {
    this.#options = options;
    this.#log = options.log.child({ room: 'web' });
    this.#sending = new Loop({
      round: () => this.#round(),
      failed: (error) => this.#noteFailure(error),
    });
  }

  start(): void {
    this.#unfollow = this.#options.audit.onEntry(() => this.#sending.notifySoon());
    this.#sending.start();
  }

  async stop(): Promise<void> {
    this.#unfollow?.();
    await this.#sending.stop();
  }

  async #round(): Promise<number> {
    const { audit, sent } = this.#options;
    const last = await sent.read();
    const { entries } = await audit.read();
    const waiting = entries.filter(({ number }) => number > last);
    if (waiting.length === 0) return idleMs;
    try {
      await this.#send(waiting);
      await sent.write(waiting.at(-1)?.number ?? last);
    } catch (error) {
      this.#noteFailure(error);
      return retryMs;
    }
    if (this.#failing) this.#log.info({}, 'audit messages are sent again');
    this.#failing = false;
    return idleMs;
  }

  async #send(entries: readonly AuditEntry[]): Promise<void> {
    const { host, port, ca, source } = this.#options;
    const authority = await ca();
    const socket = connect({
      host,
      port,
      minVersion: 'TLSv1.2',
      ...(authority === null ? {} : { ca: authority }),
    });
    socket.setTimeout(connectMs, () => socket.destroy(new Error('no answer in time')));
    try {
      await once(socket, 'secureConnect');
      for (const entry of entries) await write(socket, framed(entry, source));
      // The other side has read all of it before it closes too.
      socket.end();
      await once(socket.resume(), 'close');
    } finally {
      socket.destroy();
    }
  }

  #noteFailure(error: unknown): void {
    if (this.#failing) return;
    this.#failing = true;
    const cause = systemErrorCode(error) ?? 'unknown cause';
    this.#log.error(
      { code: 'AUDIT_SYSLOG', cause },
      'audit messages cannot be sent; they are kept and sent once that works',
    );
  }
}

async function write(socket: TLSSocket, bytes: Buffer): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    socket.write(bytes, (error) => (error ? reject(error) : resolve()));
  });
}

/** Facility 10 (security), severity 5 (notice) or 4 (warning). */
function framed(entry: AuditEntry, source: AuditSource): Buffer {
  const priority = 10 * 8 + (entry.outcome === 'success' ? 5 : 4);
  const host = hostname().replaceAll(/[^\x21-\x7e]/g, '') || '-';
  const head = `<${priority}>1 ${entry.at} ${host.slice(0, 255)} gantry ${process.pid} DICOM+RFC3881 - `;
  const xml = `<?xml version="1.0" encoding="UTF-8"?>${auditMessage(entry, source)}`;
  const message = Buffer.concat([Buffer.from(head), Buffer.from('\uFEFF'), Buffer.from(xml)]);
  return Buffer.concat([Buffer.from(`${message.length} `), message]);
}
