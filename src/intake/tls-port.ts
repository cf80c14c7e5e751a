import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:tls';
import { CertificateWatch, type WatchedCertificate } from '../base/certificate-watch.ts';
import type { Clock } from '../base/clock.ts';
import { type FailureText, GantryError, systemErrorCode } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { Loop } from '../base/loop.ts';
import type { CertificateAndKey, TlsCredentials, TlsFiles, TlsNaming } from '../base/tls-credentials.ts';
import type { Doorway } from './arrival.ts';
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

export interface TlsPortState extends WatchedCertificate {
  /** Whether devices can connect. */
  readonly open: boolean;
  /** The bound port; before it is bound, the one of the settings. */
  readonly port: number;
}

/** How often files are looked at, and a port that could not be had is asked for again. */
const lookMs = 15_000;
/** Reading a certificate, or making one, may hang on a disk or take long on a slow box; receiving in clear may not. */
const startMsMax = 10_000;
const naming: TlsNaming = {
  setting: 'intake.tls',
  purpose: 'DICOM over TLS',
  port: 'the DICOM TLS port',
};

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
  readonly #watch: CertificateWatch;
  readonly #looking: Loop;
  readonly #looked = Promise.withResolvers<void>();
  #server: Server | null = null;
  /** Makes connections secure; does not listen itself, so that it can be replaced at any time. */
  #engine: TlsServer | null = null;
  #portProblem: FailureText | null = null;
  #stopped = false;

  constructor(options: TlsPortOptions, deps: TlsPortDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#log = deps.log.child({ room: 'intake' });
    this.#handshakes = new TlsHandshakes(deps.doorway, deps.clock);
    this.#watch = new CertificateWatch({
      naming,
      files: options,
      own: deps.ownCertificate,
      use: (credentials) => this.#use(credentials),
      clock: deps.clock,
      log: this.#log,
    });
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
    this.#watch.refresh();
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
    const { certificate, problem } = this.#watch.state();
    const address = this.#server?.address() ?? null;
    return {
      open: this.#server !== null,
      port: typeof address === 'object' && address !== null ? address.port : this.#options.port,
      certificate,
      problem: this.#portProblem ?? problem,
    };
  }

  async #look(): Promise<number> {
    try {
      await this.#watch.look();
      if (this.#engine !== null && this.#server === null && !this.#stopped) await this.#listen();
    } finally {
      this.#looked.resolve();
    }
    return lookMs;
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
