import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { buildConnector as UndiciConnector, Dispatcher } from 'undici';
import { buildConnector, Pool } from '../base/http-clients.ts';
import type { SealedSecrets } from '../base/sealed-secrets.ts';
import type { ProxyConfig } from '../config/schema.ts';
import { ClientFault, faultCode } from './client-fault.ts';
import { httpBasic } from './http-basic.ts';
import { readSecretFile } from './secret-file.ts';
import { TlsContext, type TlsFiles } from './tls-context.ts';

type Connector = UndiciConnector.connector;

export interface ConnectorOptions {
  readonly tls: TlsFiles;
  readonly proxy: ProxyConfig | null;
  /** Where the password of the proxy may be. */
  readonly sealed: SealedSecrets;
  readonly allowH2: boolean;
  /** How long name look-up, connection, tunnel and TLS may take, each. */
  readonly connectMs: number;
}

/** Where an https connection ends, directly or through the tunnel. */
function secureConnector(files: TlsFiles, allowH2: boolean, connectMs: number): Connector {
  const tls = new TlsContext(files);
  let made: { context: unknown; connect: Connector } | null = null;
  return (options, callback) => {
    try {
      const secureContext = tls.current();
      // One connector per context: it keeps the TLS sessions, which belong to the context.
      if (made?.context !== secureContext) {
        made = {
          context: secureContext,
          // Said aloud: left out, NODE_TLS_REJECT_UNAUTHORIZED=0 in the environment would switch the check off.
          connect: buildConnector({ allowH2, timeout: connectMs, secureContext, rejectUnauthorized: true }),
        };
      }
      made.connect(options, callback);
    } catch (error) {
      callback(error as Error, null);
    }
  };
}

/**
 * Makes the connections of one destination: TCP or TLS, directly or through an HTTP proxy by CONNECT
 * (RFC 9110 §9.3.6), plain http archives too. Where a connection is made through the proxy, only TLS inside
 * the tunnel sees the client certificate.
 */
export class Connections {
  /** When the certificate last seen ends (ms since the epoch), or null. */
  certificateEndsAt: number | null = null;
  readonly #connect: Connector;
  readonly #tunnel: ProxyTunnel | null;

  constructor(options: ConnectorOptions) {
    this.#connect = secureConnector(options.tls, options.allowH2, options.connectMs);
    const { proxy } = options;
    this.#tunnel = proxy && new ProxyTunnel({ ...options, proxy });
  }

  readonly connector: Connector = (options, callback) => {
    const done: buildConnector.Callback = (...result) => {
      const [, socket] = result;
      if (socket instanceof TLSSocket) this.#noteCertificate(socket);
      callback(...result);
    };
    if (this.#tunnel === null) this.#connect(options, done);
    else void this.#connectThrough(this.#tunnel, options, done);
  };

  async #connectThrough(
    tunnel: ProxyTunnel,
    options: buildConnector.Options,
    done: buildConnector.Callback,
  ): Promise<void> {
    const secure = options.protocol === 'https:';
    let socket: Socket;
    try {
      socket = await tunnel.open(options.hostname, options.port || (secure ? '443' : '80'));
    } catch (error) {
      done(error as Error, null);
      return;
    }
    if (secure) this.#connect({ ...options, httpSocket: socket }, done);
    else done(null, socket);
  }

  async close(): Promise<void> {
    await this.#tunnel?.close();
  }

  #noteCertificate(socket: TLSSocket): void {
    const endsAt = Date.parse(socket.getPeerCertificate().valid_to);
    // A resumed session may come without the certificate: the one seen before still stands.
    if (!Number.isNaN(endsAt)) this.certificateEndsAt = endsAt;
  }
}

interface TunnelOptions extends Pick<ConnectorOptions, 'tls' | 'sealed' | 'connectMs'> {
  readonly proxy: ProxyConfig;
}

/** The way through an HTTP proxy. */
export class ProxyTunnel {
  readonly #proxy: ProxyConfig;
  readonly #sealed: SealedSecrets;
  readonly #connectMs: number;
  readonly #pool: Pool;

  constructor({ proxy, tls, sealed, connectMs }: TunnelOptions) {
    this.#proxy = proxy;
    this.#sealed = sealed;
    this.#connectMs = connectMs;
    const connect = secureConnector({ caFile: tls.caFile, clientCertificate: null }, false, connectMs);
    this.#pool = new Pool(new URL(proxy.url).origin, { connect, allowH2: false, headersTimeout: connectMs });
  }

  /** @throws ClientFault PROXY_*; nothing of a request has left then */
  async open(hostname: string, port: string): Promise<Socket> {
    const authority = `${hostname.includes(':') ? `[${hostname}]` : hostname}:${port}`;
    const authorization = await this.#authorization();
    let answer: Dispatcher.ConnectData;
    try {
      answer = await this.#pool.connect({
        path: authority,
        headers: { host: authority, ...authorization },
        signal: AbortSignal.timeout(this.#connectMs * 2),
      });
    } catch (cause) {
      if (cause instanceof ClientFault) throw cause;
      throw new ClientFault('PROXY_UNAVAILABLE', { cause: new Error(faultCode(cause)) });
    }
    if (answer.statusCode >= 200 && answer.statusCode < 300) return answer.socket as Socket;
    answer.socket.on('error', () => {}).destroy();
    if (answer.statusCode === 407) throw new ClientFault('PROXY_SIGN_IN_REFUSED');
    throw new ClientFault(answer.statusCode >= 500 ? 'PROXY_UNAVAILABLE' : 'PROXY_REFUSED');
  }

  close(): Promise<void> {
    return this.#pool.destroy();
  }

  async #authorization(): Promise<Record<string, string>> {
    const { user, passwordFile } = this.#proxy;
    if (user === null || passwordFile === null) return {};
    const password = await readSecretFile(
      { place: passwordFile, sealed: this.#sealed },
      'PROXY_PASSWORD_FILE_UNREADABLE',
    );
    return { 'proxy-authorization': httpBasic(user, password) };
  }
}
