import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect as connectTcp, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { onTestFinished } from 'vitest';
import { type Clock, systemClock } from '../../src/base/clock.ts';
import { createLog } from '../../src/base/log.ts';
import { fingerprintOf } from '../../src/base/certificate.ts';
import type { IntakeOptions } from '../../src/intake/options.ts';
import { TlsPort, type TlsPortOptions } from '../../src/intake/tls-port.ts';
import { type MadeAuthority, type MadeCertificate, makeAuthority } from '../fixtures/certificates.ts';
import { eventually, type Harness, startIntake } from './intake-harness.ts';
import { associateRequest, type Pdu, RawClient, type WireRequest } from './raw-client.ts';

/** Files a TLS port reads, in a directory that is gone with the test. */
export interface TlsFolder {
  readonly certFile: string;
  readonly keyFile: string;
  readonly clientCaFile: string;
  /** Puts another certificate in their place. */
  readonly put: (made: MadeCertificate) => void;
}

export function tlsFolder(made: MadeCertificate, clientCa = ''): TlsFolder {
  const path = mkdtempSync(join(tmpdir(), 'gantry-tls-'));
  onTestFinished(() => rmSync(path, { recursive: true }));
  const files = {
    certFile: join(path, 'cert.pem'),
    keyFile: join(path, 'key.pem'),
    clientCaFile: join(path, 'clients.pem'),
  };
  const put = ({ cert, key }: MadeCertificate) => {
    writeFileSync(files.certFile, cert);
    writeFileSync(files.keyFile, key);
  };
  put(made);
  writeFileSync(files.clientCaFile, clientCa);
  return { ...files, put };
}

export interface TlsHarness extends Harness {
  readonly tls: TlsPort;
  readonly authority: MadeAuthority;
  readonly folder: TlsFolder;
  /** Connects with TLS; fails where the handshake does. */
  readonly secure: (options?: ConnectionOptions) => Promise<TLSSocket>;
  /** The code of the failure a client sees instead of a secure connection. */
  readonly refused: (options: ConnectionOptions) => Promise<string>;
  /** A handshake whose first half is with the port; `finish` lets the rest through. */
  readonly slow: () => Promise<{ readonly tcp: Socket; readonly finish: () => Promise<TLSSocket> }>;
  /** Refusals by code since the start. */
  readonly counts: () => Readonly<Record<string, number>>;
}

export interface TlsHarnessOptions {
  readonly intake?: Partial<IntakeOptions>;
  readonly tls?: Partial<TlsPortOptions>;
  readonly clock?: Clock;
  /** PEM: the authority of device certificates. */
  readonly clientCa?: string | null;
  /** Done to the files before the port looks at them. */
  readonly spoil?: (harness: Pick<TlsHarness, 'folder' | 'authority'>) => Promise<void> | void;
  /** The certificate of the port; one for 127.0.0.1 otherwise. */
  readonly made?: (authority: MadeAuthority) => Promise<MadeCertificate>;
}

/** A listener with both ports, on free ports, that stops with the test. */
export async function startTls(options: TlsHarnessOptions = {}): Promise<TlsHarness> {
  const clock = options.clock ?? systemClock;
  const authority = await makeAuthority();
  const folder = tlsFolder(await (options.made ?? ((by) => by.server()))(authority), options.clientCa ?? '');
  const intake = await startIntake(options.intake, clock);
  const log = createLog('debug', { write: (line) => intake.logLines.push(line) });
  const tls = new TlsPort(
    {
      host: '127.0.0.1',
      port: 0,
      profile: 'b13',
      asksForCertificates: false,
      certFile: folder.certFile,
      keyFile: folder.keyFile,
      clientCaFile: (options.clientCa ?? null) === null ? null : folder.clientCaFile,
      ...options.tls,
    },
    { doorway: intake.listener, clock, log, ownCertificate: () => authority.server() },
  );
  await options.spoil?.({ folder, authority });
  await tls.start();
  onTestFinished(() => tls.stop());
  const to = (more: ConnectionOptions) =>
    connect({ host: '127.0.0.1', port: tls.state().port, ca: authority.cert, ...more });
  return {
    ...intake,
    tls,
    authority,
    folder,
    secure: async (more = {}) => {
      const socket = to(more);
      await once(socket, 'secureConnect');
      return socket;
    },
    refused: async (more) => {
      const socket = to(more);
      const [error] = (await Promise.race([
        once(socket, 'error'),
        once(socket, 'secureConnect').then(() => once(socket, 'error')),
      ])) as [NodeJS.ErrnoException];
      return String(error.code);
    },
    slow: async () => {
      const tcp = connectTcp({ host: '127.0.0.1', port: tls.state().port });
      tcp.on('error', () => undefined);
      await once(tcp, 'connect');
      return { tcp, finish: await halfHandshake(tcp, authority.cert) };
    },
    counts: () => intake.listener.stats().refusalCounts,
  };
}

/** A listener that is called on its TLS port. */
export async function startOverTls(intake: Partial<IntakeOptions>): Promise<Harness> {
  const harness = await startTls({ intake });
  return { ...harness, port: harness.tls.state().port };
}

/**
 * Begins a handshake on a connection, through a relay that sends ten bytes of what the client says and keeps the
 * rest until `finish` is called.
 */
async function halfHandshake(tcp: Socket, ca: string): Promise<() => Promise<TLSSocket>> {
  const go = Promise.withResolvers<void>();
  const sent = Promise.withResolvers<void>();
  const relay = createServer((near) => {
    near.on('error', () => undefined);
    near.once('data', (hello: Buffer) => {
      near.pause();
      tcp.write(hello.subarray(0, 10), () => sent.resolve());
      void go.promise.then(() => {
        tcp.write(hello.subarray(10));
        near.pipe(tcp).pipe(near);
      });
    });
  }).listen(0, '127.0.0.1');
  onTestFinished(() => void relay.close());
  await once(relay, 'listening');
  const { port } = relay.address() as AddressInfo;
  const socket = connect({ host: '127.0.0.1', port, ca });
  socket.on('error', () => undefined);
  await sent.promise;
  return async () => {
    go.resolve();
    await once(socket, 'secureConnect');
    return socket;
  };
}

/** The answer to an association request over a connection: 2 accepted, 3 rejected, and the PDU. */
export async function associateOver(
  socket: TLSSocket,
  request: WireRequest = {},
): Promise<{ client: RawClient; answer: Pdu | null }> {
  const client = RawClient.over(socket);
  client.send(associateRequest(request));
  return { client, answer: await client.next() };
}

export function fingerprint({ cert }: MadeCertificate): string {
  return fingerprintOf(new X509Certificate(cert));
}

/** Has the port look at its files, and waits until it has taken what is there. */
export async function reloaded(tls: TlsPort, made: MadeCertificate): Promise<void> {
  const sha256 = fingerprint(made);
  tls.refresh();
  await eventually(() => tls.state().certificate?.sha256 === sha256);
}
