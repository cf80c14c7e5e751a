import { once } from 'node:events';
import { request } from 'node:http';
import { request as secureRequest } from 'node:https';
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls, createSecureContext, getCACertificates, type SecureContext } from 'node:tls';
import type { RemoteLineConfig } from '../../schema.ts';
import { remoteFault } from './faults.ts';
import type { ChannelParts } from './port.ts';

/** Name look-up, connection, tunnel and TLS together. */
const connectMs = 20_000;

export interface Target {
  readonly host: string;
  readonly port: number;
  readonly secure: boolean;
  /** Names of application protocols (RFC 7301), where they matter. */
  readonly alpn?: readonly string[];
}

/**
 * Connections from this box to central IT: TCP, or TLS 1.2 or later; directly, or through an HTTP proxy by CONNECT
 * (RFC 9110 §9.3.6). Files are read for each connection, so that renewed certificates count from the next one on.
 */
export class Outward {
  readonly #line: RemoteLineConfig;
  readonly #parts: Pick<ChannelParts, 'readText' | 'ownCertificate'>;
  /** Made of these texts; another one takes its place once they change. */
  #secure: { readonly texts: string; readonly context: SecureContext } | null = null;

  constructor(line: RemoteLineConfig, parts: Pick<ChannelParts, 'readText' | 'ownCertificate'>) {
    this.#line = line;
    this.#parts = parts;
  }

  /** @throws GantryError REMOTE_FILE_UNREADABLE, REMOTE_PROXY_*; a system or TLS error */
  async connect(target: Target): Promise<Socket> {
    const signal = AbortSignal.timeout(connectMs);
    const secureContext = target.secure ? await this.#secureContext() : null;
    const socket =
      this.#line.proxy === null
        ? connectTcp({ host: target.host, port: target.port, autoSelectFamily: true })
        : await this.#throughProxy(target, signal);
    try {
      if (socket.connecting) await once(socket, 'connect', { signal });
      socket.setNoDelay(true);
      return secureContext === null ? socket : await secured(socket, target, secureContext, signal);
    } catch (error) {
      socket.on('error', () => {}).destroy();
      throw error;
    }
  }

  async #secureContext(): Promise<SecureContext> {
    const { caFile, clientCertificate } = this.#line;
    try {
      const ca = caFile === null ? null : pem(await this.#parts.readText(caFile));
      const client =
        clientCertificate === null
          ? await this.#parts.ownCertificate()
          : {
              cert: pem(await this.#parts.readText(clientCertificate.certFile)),
              key: pem(await this.#parts.readText(clientCertificate.keyFile)),
            };
      const texts = JSON.stringify([ca, client]);
      // Reading all the usual authorities takes longer than the rest of a poll.
      if (this.#secure?.texts !== texts) {
        const trusted = ca === null ? {} : { ca: [...getCACertificates('default'), ca] };
        const context = createSecureContext({ minVersion: 'TLSv1.2', ...trusted, ...client });
        this.#secure = { texts, context };
      }
      return this.#secure.context;
    } catch (cause) {
      throw remoteFault('REMOTE_FILE_UNREADABLE', cause);
    }
  }

  async #throughProxy({ host, port }: Target, signal: AbortSignal): Promise<Socket> {
    const { proxy, caFile } = this.#line;
    if (proxy === null) throw new TypeError('no proxy is set');
    const url = new URL(proxy.url);
    const authority = `${host.includes(':') ? `[${host}]` : host}:${port}`;
    const options = {
      method: 'CONNECT',
      host: url.hostname.replace(/^\[|\]$/g, ''),
      port: url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port),
      path: authority,
      headers: { host: authority, ...(await this.#proxySignIn()) },
      agent: false as const,
      signal,
    };
    const asked =
      url.protocol === 'https:'
        ? secureRequest({
            ...options,
            rejectUnauthorized: true,
            ...(caFile !== null && {
              ca: [...getCACertificates('default'), await this.#parts.readText(caFile)],
            }),
          })
        : request(options);
    const answer = new Promise<{ status: number; socket: Socket }>((resolve, reject) => {
      asked.once('connect', ({ statusCode = 0 }, socket: Socket, head: Buffer) => {
        if (head.length > 0) socket.unshift(head);
        resolve({ status: statusCode, socket });
      });
      asked.once('response', () => reject(remoteFault('REMOTE_PROXY_REFUSED')));
      asked.once('error', (cause) => reject(remoteFault('REMOTE_PROXY_UNREACHABLE', cause)));
    });
    asked.end();
    const { status, socket } = await answer;
    if (status >= 200 && status < 300) return socket;
    socket.on('error', () => {}).destroy();
    if (status === 407) throw remoteFault('REMOTE_PROXY_SIGN_IN');
    throw remoteFault(status >= 500 ? 'REMOTE_PROXY_UNREACHABLE' : 'REMOTE_PROXY_REFUSED');
  }

  async #proxySignIn(): Promise<Record<string, string>> {
    const { user, passwordFile } = this.#line.proxy ?? { user: null, passwordFile: null };
    if (user === null || passwordFile === null) return {};
    const password = await readSecret(this.#parts, passwordFile);
    return { 'proxy-authorization': `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` };
  }
}

/** One secret, without the line break that editors put at the end. @throws GantryError REMOTE_FILE_UNREADABLE */
export async function readSecret(parts: Pick<ChannelParts, 'readText'>, path: string): Promise<string> {
  try {
    return (await parts.readText(path)).replace(/\r?\n$/, '');
  } catch (cause) {
    throw remoteFault('REMOTE_FILE_UNREADABLE', cause);
  }
}

/** OpenSSL takes a file without any certificate for an empty list; the person who named it would not. */
function pem(text: string): string {
  if (!text.includes('-----BEGIN ')) throw new TypeError('not in PEM form');
  return text;
}

async function secured(
  socket: Socket,
  { host, alpn }: Target,
  secureContext: SecureContext,
  signal: AbortSignal,
): Promise<Socket> {
  const tls = connectTls({
    socket,
    secureContext,
    // Said aloud: left out, NODE_TLS_REJECT_UNAUTHORIZED=0 in the environment would switch the check off.
    rejectUnauthorized: true,
    host,
    ...(isIP(host) === 0 && { servername: host }),
    ...(alpn !== undefined && { ALPNProtocols: [...alpn] }),
  });
  try {
    await once(tls, 'secureConnect', { signal });
    return tls;
  } catch (error) {
    tls.on('error', () => {}).destroy();
    throw error;
  }
}
