import type { JSX } from 'preact';
import type { StatusReport, TlsCertificateReport, TlsReport } from '../../src/health/status.ts';
import { dateText, type Frame } from './format.ts';
import { Card, Fact, Facts, Problem, Rich, State } from './parts.tsx';
import { ownCertificateWords, tlsWords } from './words.ts';

/** Encrypted receiving: what to install in a device, and until when that is good. */
export function Tls({ report, frame }: { report: StatusReport; frame: Frame }): JSX.Element | null {
  const { tls } = report.intake;
  const { speech } = frame;
  if (tls === null) return null;
  return (
    <Card id="tls" title={speech.say('tls.title')} wide>
      <p class="row-head">
        <b>{speech.say('tls.port', { n: String(tls.port) })}</b>
        <State words={tlsWords(tls, frame)} />
      </p>
      {tls.problem === null ? null : (
        <p class={`note tone-${tlsWords(tls, frame).tone}`}>
          <Problem problem={tls.problem} frame={frame} />
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
  frame: Frame;
}): JSX.Element {
  const { tls, certificate, frame } = props;
  const { speech } = frame;
  return (
    <>
      <Facts>
        <Fact name={speech.say('tls.certificate')}>
          <State words={ownCertificateWords(certificate, frame)} />
        </Fact>
        <Fact name={speech.say('tls.validUntil')}>{dateText(Date.parse(certificate.notAfter), frame)}</Fact>
        <Fact name={speech.say('tls.madeBy')}>
          {speech.say(certificate.selfSigned ? 'tls.thisBox' : 'tls.somebody')}
        </Fact>
        <Fact name={speech.say('tls.deviceCertificates')}>
          {speech.say(tls.clientCertificateRequired ? 'tls.ofAll' : 'tls.ofBound')}
        </Fact>
      </Facts>
      <p class="small">
        <Rich phrase="tls.trust" frame={frame} parts={{ file: <code>{certificate.file}</code> }} />
      </p>
      <p class="small">
        <code class="fingerprint">{certificate.sha256}</code>
      </p>
    </>
  );
}
