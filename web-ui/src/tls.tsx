import type { JSX } from 'preact';
import type { StatusReport, TlsCertificateReport, TlsReport } from '../../src/health/status.ts';
import { dateText, type TimeFrame } from './format.ts';
import { Card, DoThis, Fact, Facts, State } from './parts.tsx';
import { ownCertificateWords, tlsWords } from './words.ts';

/** Encrypted receiving: what to install in a device, and until when that is good. */
export function Tls({ report, frame }: { report: StatusReport; frame: TimeFrame }): JSX.Element | null {
  const { tls } = report.intake;
  if (tls === null) return null;
  return (
    <Card id="tls" title="Receiving with TLS" wide>
      <p class="row-head">
        <b>Port {tls.port}</b>
        <State words={tlsWords(tls)} />
      </p>
      {tls.problem === null ? null : (
        <p class={`note tone-${tlsWords(tls).tone}`}>
          {tls.problem.words} <DoThis /> {tls.problem.nextStep} <span class="code">{tls.problem.code}</span>
        </p>
      )}
      {tls.certificate === null ? null : (
        <Certificate tls={tls} certificate={tls.certificate} frame={frame} />
      )}
    </Card>
  );
}

function Certificate(props: {
  tls: TlsReport;
  certificate: TlsCertificateReport;
  frame: TimeFrame;
}): JSX.Element {
  const { tls, certificate, frame } = props;
  return (
    <>
      <Facts>
        <Fact name="Certificate">
          <State words={ownCertificateWords(certificate, frame)} />
        </Fact>
        <Fact name="Valid until">{dateText(Date.parse(certificate.notAfter), frame)}</Fact>
        <Fact name="Made by">{certificate.selfSigned ? 'this box' : 'somebody else'}</Fact>
        <Fact name="Device certificates">
          {tls.clientCertificateRequired ? 'required of all' : 'of bound AE titles only'}
        </Fact>
      </Facts>
      <p class="small">
        The device has to trust it: <code>{certificate.file}</code>. Compare its SHA-256 fingerprint:
      </p>
      <p class="small">
        <code class="fingerprint">{certificate.sha256}</code>
      </p>
    </>
  );
}
