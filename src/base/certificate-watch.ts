import type { Clock } from './clock.ts';
import { type CertificateLife, lifeOf, shownFingerprint } from './certificate.ts';
import { type FailureText, GantryError } from './errors.ts';
import type { Log } from './log.ts';
import {
  type CertificateAndKey,
  type CertificateFacts,
  loadCredentials,
  type TlsCredentials,
  type TlsFiles,
  type TlsNaming,
} from './tls-credentials.ts';

export interface CertificateWatchOptions {
  readonly naming: TlsNaming;
  readonly files: TlsFiles;
  /** The box's own certificate; made where there is none yet. */
  readonly own: () => Promise<CertificateAndKey>;
  /** Takes credentials into use. @throws where the TLS library does not */
  readonly use: (credentials: TlsCredentials) => void;
  readonly clock: Clock;
  readonly log: Log;
}

export interface WatchedCertificate {
  readonly certificate: (CertificateFacts & { readonly life: CertificateLife }) | null;
  /** What is wrong with the files last looked at; null where nothing is. */
  readonly problem: FailureText | null;
}

/** The certificate of one TLS port: what cannot be used leaves what is in use as it is. */
export class CertificateWatch {
  readonly #options: CertificateWatchOptions;
  #credentials: TlsCredentials | null = null;
  #life: CertificateLife | null = null;
  #problem: FailureText | null = null;
  #askForOwn = true;

  constructor(options: CertificateWatchOptions) {
    this.#options = options;
  }

  /** Asks for the box's own certificate again at the next look; files are looked at each time. */
  refresh(): void {
    this.#askForOwn = true;
  }

  /** Reads the files, takes what has changed into use, and says where the certificate stands in its life. */
  async look(): Promise<void> {
    const { naming, files, own, log } = this.#options;
    const before = this.#credentials;
    const askForOwn = this.#askForOwn || before === null;
    this.#askForOwn = false;
    try {
      const read = await loadCredentials(naming, files, () => (askForOwn ? own() : Promise.resolve(before)));
      if (read.stamp !== before?.stamp) this.#use(read);
      this.#problem = null;
    } catch (error) {
      const problem = error instanceof GantryError ? error : unusable(naming, error);
      if (problem.code !== this.#problem?.code) {
        const words = before === null ? `${naming.port} stays closed` : 'the certificate in use stays';
        log.error({ code: problem.code, error }, words);
      }
      this.#problem = problem;
    }
    this.#noteLife();
  }

  state(): WatchedCertificate {
    const facts = this.#credentials?.facts ?? null;
    const certificate = facts && { ...facts, life: lifeOf(facts, this.#options.clock.now()) };
    return { certificate, problem: this.#problem };
  }

  #use(credentials: TlsCredentials): void {
    const { naming, use, log } = this.#options;
    use(credentials);
    this.#credentials = credentials;
    this.#life = null;
    const { selfSigned, sha256, notAfter } = credentials.facts;
    log.info(
      { selfSigned, sha256: shownFingerprint(sha256), notAfter: new Date(notAfter).toISOString() },
      `certificate for ${naming.purpose} in use`,
    );
  }

  #noteLife(): void {
    const life = this.state().certificate?.life ?? null;
    if (life === this.#life) return;
    this.#life = life;
    if (life === null || life === 'ok') return;
    const words = {
      early: 'is not valid yet: is the clock right?',
      renew: 'has passed two thirds of its life: renew it',
      expired: 'has expired: renew it',
    };
    const { naming, log } = this.#options;
    log.warn(
      { code: `TLS_CERTIFICATE_${life.toUpperCase()}` },
      `the certificate for ${naming.purpose} ${words[life]}`,
    );
  }
}

function unusable({ purpose }: TlsNaming, cause: unknown): GantryError {
  return new GantryError(
    {
      code: 'TLS_CERTIFICATE_UNUSABLE',
      kind: 'permanent',
      message: `The certificate for ${purpose} cannot be used.`,
      nextStep:
        'Get a certificate with an RSA key of 2048 bits or more that is signed with SHA-256 or better.',
    },
    { cause },
  );
}
