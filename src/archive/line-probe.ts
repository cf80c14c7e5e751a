import { once } from 'node:events';
import { connect, isIP, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import type { SealedSecrets } from '../base/sealed-secrets.ts';
import type { ProxyConfig } from '../config/schema.ts';
import { faultCode } from './client-fault.ts';
import { ProxyTunnel } from './connector.ts';
import { TlsContext, type TlsFiles } from './tls-context.ts';

/** Where a destination's connections end, and by which way they get there. */
export interface LineTarget {
  readonly host: string;
  readonly port: number;
  /** Null: in clear. */
  readonly tls: TlsFiles | null;
  readonly proxy: ProxyConfig | null;
  /** Where the password of the proxy may be. */
  readonly sealed: SealedSecrets;
}

/** The certificate that is shown at the other end. */
export interface ShownCertificate {
  /** Why it is not trusted, e.g. `CERT_HAS_EXPIRED`; null where it is. */
  readonly fault: string | null;
  /** Common name, and organisation where there is one, of who signed it. */
  readonly issuer: string;
  /** Milliseconds since the epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
}

export const probeMsMax = 10_000;

/** Whether the proxy lets us through to the target. @throws ClientFault PROXY_*, or an error with a code */
export async function probeProxy(target: LineTarget): Promise<void> {
  if (target.proxy === null) return;
  await using stack = new AsyncDisposableStack();
  const socket = await tunnelTo(target, stack);
  socket.destroy();
}

/**
 * Connects, makes a TLS handshake where the target has TLS, and sends nothing. A certificate that is not trusted is
 * looked at all the same: who signed it tells whether somebody stands in between.
 * @returns null where the connection is in clear
 * @throws an error with the code of the system or of TLS, or ClientFault
 */
export async function probeConnection(target: LineTarget): Promise<ShownCertificate | null> {
  await using stack = new AsyncDisposableStack();
  const { host, port, tls, proxy } = target;
  const plain = proxy === null ? connect({ host, port }) : await tunnelTo(target, stack);
  stack.defer(() => void plain.destroy());
  if (proxy === null) await within(plain, 'connect');
  if (tls === null) return null;
  const secured = connectTls({
    socket: plain,
    servername: isIP(host) === 0 ? host : '',
    // With an empty server name, Node would compare the certificate with nothing.
    host,
    secureContext: new TlsContext(tls).current(),
    rejectUnauthorized: false,
  });
  stack.defer(() => void secured.destroy());
  await within(secured, 'secureConnect');
  return shown(secured);
}

async function tunnelTo(
  { host, port, proxy, tls, sealed }: LineTarget,
  stack: AsyncDisposableStack,
): Promise<Socket> {
  const tunnel = new ProxyTunnel({
    proxy: proxy as ProxyConfig,
    tls: tls ?? { caFile: null, clientCertificate: null },
    sealed,
    connectMs: probeMsMax,
  });
  stack.defer(() => tunnel.close());
  return tunnel.open(host, String(port));
}

async function within(socket: Socket, event: 'connect' | 'secureConnect'): Promise<void> {
  try {
    await once(socket, event, { signal: AbortSignal.timeout(probeMsMax) });
  } catch (cause) {
    const late = cause instanceof Error && cause.name === 'AbortError';
    if (late) throw Object.assign(new Error('late', { cause }), { code: 'UND_ERR_CONNECT_TIMEOUT' });
    throw cause;
  } finally {
    socket.on('error', () => {});
  }
}

function shown(socket: TLSSocket): ShownCertificate {
  const { issuer, valid_from: from, valid_to: to } = socket.getPeerCertificate();
  const names = [issuer?.CN, issuer?.O].flat().filter((name) => name !== undefined);
  return {
    fault: socket.authorized ? null : faultCode(codeOf(socket.authorizationError)),
    issuer: [...new Set(names)].join(', '),
    notBefore: Date.parse(from),
    notAfter: Date.parse(to),
  };
}

/** Node gives the code alone, whatever its types say. */
function codeOf(error: unknown): unknown {
  return typeof error === 'string' ? Object.assign(new Error('not trusted'), { code: error }) : error;
}
