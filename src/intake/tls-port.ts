import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:tls';
import type { Clock } from '../base/clock.ts';
import { type FailureText, GantryError, systemErrorCode } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { Loop } from '../base/loop.ts';
import type { Doorway } from './arrival.ts';
import { type CertificateLife, lifeOf, shownFingerprint } from './certificate.ts';
import {
  type CertificateAndKey,
  type CertificateFacts,
  loadCredentials,
  type TlsCredentials,
  type TlsFiles,
} from './tls-credentials.ts';
import { TlsHandshakes } from './tls-handshakes.ts';
import { profileOptions, type TlsProfile } from './tls-profile.ts';

export interface TlsPortOptions extends TlsFiles {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  readonly profile: TlsProfile;
  /** Whether devices are asked for a certificate. What it has to be is for `Admission` to say. */
  readonly asksForCertificates: boolean;
}

export interface TlsPortDeps {
  readonly doorway: Doorway;
  readonly clock: Clock;
  readonly log: Log;
  /** The box's own certificate; made where there is none yet. */
  readonly ownCertificate: () => Promise<CertificateAndKey>;
}

export interface TlsPortState {
  /** Whether devices can connect. */
  readonly open: boolean;
  /** The bound port; before it is bound, the one of the settings. */
  readonly port: number;
  readonly certificate: (CertificateFacts & { readonly life: CertificateLife }) | null;
  /** What is wrong with the port or with the files last looked at; null where nothing is. */
  readonly problem: FailureText | null;
}

/** How often files are looked at, and a port that could not be had is asked for again. */
const lookMs = 15_000;
/** Reading a certificate, or making one, may hang on a disk or take long on a slow box; receiving in clear may not. */
const startMsMax = 10_000;

/**
 * DICOM over TLS (PS3.15 B.12, B.13). Whatever is wrong with it (a certificate, a key, the port, the clock) is
 * shown and tried again, and stops neither the gateway nor the port in clear. A changed certificate counts from the
 * next connection on; associations that are open go on under the one they began with.
 */
export class TlsPort {
  readonly #options: TlsPortOptions;
  readonly #deps: TlsPortDeps;
  readonly #log: Log;
  readonly #handshakes: TlsHandshakes;
  readonly #looking: Loop;
  readonly #looked = Promise.withResolvers<void>();
  #server: Server | null = null;
  /** Makes connections secure; does not listen itself, so that it can be replaced at any time. */
  #engine: TlsServer | null = null;
  #credentials: TlsCredentials | null = null;
  #life: CertificateLife | null = null;
  #filesProblem: FailureText | null = null;
  #portProblem: FailureText | null = null;
  #askForOwn = true;
  #stopped = false;

  constructor(options: TlsPortOptions, deps: TlsPortDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#log = deps.log.child({ room: 'intake' });
    this.#handshakes = new TlsHandshakes(deps.doorway, deps.clock);
    this.#looking = new Loop({
      round: () => this.#look(),
      failed: (error) => this.#log.error({ code: 'TLS_PORT_INTERNAL', error }, 'the DICOM TLS port failed'),
    });
  }

  /** Resolves once the port is open, or it is known why not, or that takes too long. Never rejects. */
  async start(): Promise<void> {
    this.#looking.start();
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, startMsMax);
    await Promise.race([this.#looked.promise, late.promise]);
    clearTimeout(timer);
  }

  /** Looks at once whether the files have changed; the box's own certificate included. */
  refresh(): void {
    this.#askForOwn = true;
    this.#looking.notify();
  }

  /** Takes no more connections, and closes those without a finished handshake. */
  stop(): void {
    this.#stopped = true;
    // Not waited for: it may hang on a disk.
    void this.#looking.stop();
    this.#server?.close();
    this.#server = null;
    this.#handshakes.stop();
  }

  state(): TlsPortState {
    const facts = this.#credentials?.facts ?? null;
    const address = this.#server?.address() ?? null;
    return {
      open: this.#server !== null,
      port: typeof address === 'object' && address !== null ? address.port : this.#options.port,
      certificate: facts === null ? null : { ...facts, life: lifeOf(facts, this.#deps.clock.now()) },
      problem: this.#portProblem ?? this.#filesProblem,
    };
  }

  async #look(): Promise<number> {
    try {
      await this.#readFiles();
      if (this.#engine !== null && this.#server === null && !this.#stopped) await this.#listen();
      this.#noteLife();
    } finally {
      this.#looked.resolve();
    }
    return lookMs;
  }

  /** What cannot be used leaves what is in use as it is. */
  async #readFiles(): Promise<void> {
    const before = this.#credentials;
    const askForOwn = this.#askForOwn || before === null;
    this.#askForOwn = false;
    try {
      const own = () => (askForOwn ? this.#deps.ownCertificate() : Promise.resolve(before));
      const read = await loadCredentials(this.#options, own);
      if (read.stamp !== before?.stamp) this.#use(read);
      this.#filesProblem = null;
    } catch (error) {
      const problem = error instanceof GantryError ? error : unusable(error);
      if (problem.code !== this.#filesProblem?.code) {
        const words = before === null ? 'the DICOM TLS port stays closed' : 'the certificate in use stays';
        this.#log.error({ code: problem.code, error }, words);
      }
      this.#filesProblem = problem;
    }
  }

  #use(credentials: TlsCredentials): void {
    const { profile, asksForCertificates } = this.#options;
    const engine = createTlsServer({
      ...profileOptions(profile),
      cert: credentials.cert,
      key: credentials.key,
      // An empty list is none: the authorities of the web have no say in who a modality is.
      ca: credentials.clientCa ?? [],
      requestCert: asksForCertificates,
      // A caller without the right certificate gets its reason in DICOM, and is shown with its AE title.
      rejectUnauthorized: false,
      handshakeTimeout: this.#deps.doorway.associateMs,
    });
    this.#handshakes.watch(engine);
    this.#engine = engine;
    this.#credentials = credentials;
    this.#life = null;
    const { selfSigned, sha256, notAfter } = credentials.facts;
    this.#log.info(
      { selfSigned, sha256: shownFingerprint(sha256), notAfter: new Date(notAfter).toISOString() },
      'certificate for DICOM over TLS in use',
    );
  }

  async #listen(): Promise<void> {
    const server = createServer({ noDelay: true }, (socket) => this.#take(socket));
    try {
      server.listen(this.#options.port, this.#options.host);
      await once(server, 'listening');
    } catch (error) {
      const problem = portTaken(error);
      if (this.#portProblem === null) this.#log.error({ code: problem.code, error }, problem.message);
      this.#portProblem = problem;
      return;
    }
    if (this.#stopped) return void server.close();
    server.on('error', (error) => this.#log.error({ code: systemErrorCode(error) }, 'DICOM TLS port failed'));
    this.#server = server;
    this.#portProblem = null;
    this.#log.info({ port: this.state().port }, 'DICOM TLS port open');
  }

  #take(socket: Socket): void {
    if (this.#engine === null || this.#stopped) return void socket.destroy();
    this.#handshakes.take(socket, this.#engine);
  }

  #noteLife(): void {
    const life = this.state().certificate?.life ?? null;
    if (life === this.#life) return;
    this.#life = life;
    if (life === null || life === 'ok') return;
    const words = {
      early: 'the certificate for DICOM over TLS is not valid yet: is the clock right?',
      renew: 'the certificate for DICOM over TLS has passed two thirds of its life: renew it',
      expired: 'the certificate for DICOM over TLS has expired: renew it',
    };
    this.#log.warn({ code: `TLS_CERTIFICATE_${life.toUpperCase()}` }, words[life]);
  }
}

function unusable(cause: unknown): GantryError {
  return new GantryError(
    {
      code: 'TLS_CERTIFICATE_UNUSABLE',
      kind: 'permanent',
      message: 'The certificate for DICOM over TLS cannot be used.',
      nextStep:
        'Get a certificate with an RSA key of 2048 bits or more that is signed with SHA-256 or better.',
    },
    { cause },
  );
}

function portTaken(cause: unknown): GantryError {
  return new GantryError(
    {
      code: 'TLS_PORT_TAKEN',
      kind: 'transient',
      message: `The DICOM TLS port cannot be opened (${systemErrorCode(cause) ?? 'unknown cause'}).`,
      nextStep:
        'Check that no other program uses the port, and that the address to listen on is of this machine. It is tried again by itself.',
    },
    { cause },
  );
}
