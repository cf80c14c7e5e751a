import type { Config } from './config/schema.ts';
import {
  certificateReport,
  dicomCertificate,
  ownCertificate,
  problemReport,
} from './gateway-own-certificate.ts';
import { type LivePart, replaceable } from './gateway-live.ts';
import type { Store } from './gateway-store.ts';
import type { TlsReport } from './health/status.ts';
import type { IntakeListener } from './intake/listener.ts';
import { TlsPort, type TlsPortOptions } from './intake/tls-port.ts';

/** DICOM over TLS as configured; the port is null where it is off. */
export class TlsIntake {
  port: TlsPort | null = null;
  readonly #store: Store;
  readonly #listener: IntakeListener;

  constructor(store: Store, listener: IntakeListener) {
    this.#store = store;
    this.#listener = listener;
  }

  /** Opens it after the port in clear, which does not wait for it; associations go on when it is closed. */
  start(stack: AsyncDisposableStack): Promise<LivePart> {
    const about = { name: 'DICOM TLS port', settings: tlsOptions };
    return replaceable(about, this.#store.current.config, stack, async (config) => {
      const options = tlsOptions(config);
      if (options === null) return null;
      const port = this.#create(options);
      this.port = port;
      await port.start();
      return () => {
        this.port = null;
        port.stop();
      };
    });
  }

  #create(options: TlsPortOptions): TlsPort {
    const { clock, log } = this.#store;
    const own = () => ownCertificate(this.#store, dicomCertificate);
    return new TlsPort(options, { doorway: this.#listener, clock, log, ownCertificate: own });
  }
}

function tlsOptions({ intake, modalities }: Config): TlsPortOptions | null {
  if (intake.tls === null) return null;
  const bound = Object.values(modalities).some(({ certificate }) => certificate !== null);
  return {
    ...intake.tls,
    host: intake.tls.host ?? intake.host,
    asksForCertificates: bound || clientCertificateRequired(intake),
  };
}

export function clientCertificateRequired({ tls }: Config['intake']): boolean {
  return tls !== null && (tls.requireClientCertificate ?? tls.clientCaFile !== null);
}

/** What of it is shown. */
export function tlsReport(port: TlsPort, store: Store): TlsReport {
  const { intake } = store.current.config;
  const { certificate, problem, ...state } = port.state();
  return {
    ...state,
    profile: intake.tls?.profile ?? 'b13',
    clientCertificateRequired: clientCertificateRequired(intake),
    certificate:
      certificate && certificateReport(certificate, dicomCertificate, intake.tls?.certFile ?? null, store),
    problem: problemReport(problem),
  };
}
