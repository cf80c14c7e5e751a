import type { Config } from './config/schema.ts';
import {
  certificateReport,
  dicomCertificate,
  ownCertificate,
  problemReport,
} from './gateway-own-certificate.ts';
import type { Store } from './gateway-store.ts';
import type { TlsReport } from './health/status.ts';
import type { IntakeListener } from './intake/listener.ts';
import { TlsPort } from './intake/tls-port.ts';

/** The DICOM TLS port as configured, or null where it is off. */
export function createTlsPort(store: Store, listener: IntakeListener): TlsPort | null {
  const { clock, log, current } = store;
  const { intake, modalities } = current.config;
  if (intake.tls === null) return null;
  const bound = Object.values(modalities).some(({ certificate }) => certificate !== null);
  return new TlsPort(
    {
      ...intake.tls,
      host: intake.tls.host ?? intake.host,
      asksForCertificates: bound || clientCertificateRequired(intake),
    },
    { doorway: listener, clock, log, ownCertificate: () => ownCertificate(store, dicomCertificate) },
  );
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
