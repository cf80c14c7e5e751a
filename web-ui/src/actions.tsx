import type { JSX } from 'preact';
import type { PageView } from '../../src/web/view.ts';
import type { Desk } from './desk.ts';
import type { Frame } from './format.ts';
import { Card, Problem, Rich } from './parts.tsx';

interface ActionsProps {
  readonly view: PageView;
  readonly frame: Frame;
  readonly desk: Desk | null;
}

/** What can be done, or where to go to do it. */
export function Actions({ view, frame, desk }: ActionsProps): JSX.Element {
  const { speech } = frame;
  return (
    <Card id="actions" title={speech.say('actions.title')} wide>
      {desk !== null ? (
        <desk.Actions frame={frame} />
      ) : view.canSignIn ? (
        <>
          <p class="small">{speech.say('actions.loading')}</p>
          <noscript>
            <p>{speech.say('actions.script')}</p>
          </noscript>
        </>
      ) : (
        <Elsewhere view={view} frame={frame} />
      )}
    </Card>
  );
}

/** This page is open to all and changes nothing; the one over HTTPS does. */
function Elsewhere({ view, frame }: { view: PageView; frame: Frame }): JSX.Element {
  const { speech } = frame;
  const { https } = view.report.web;
  const [host] = view.addresses;
  if (https?.open !== true || host === undefined) {
    return (
      <>
        <p class="small">{speech.say('actions.console')}</p>
        {https === null || https.problem === null ? null : (
          <p class="note tone-warn">
            <Problem problem={https.problem} frame={frame} />
          </p>
        )}
      </>
    );
  }
  const { port, certificate } = https;
  const address = `https://${host.includes(':') ? `[${host}]` : host}:${port}/`;
  return (
    <>
      <p>
        <Rich phrase="actions.where" frame={frame} parts={{ address: <a href={address}>{address}</a> }} />
      </p>
      {certificate === null ? null : (
        <>
          <p class="small">
            {speech.say(certificate.selfSigned ? 'actions.fingerprint' : 'actions.fingerprintOther')}
          </p>
          <p class="small">
            <code class="fingerprint">{certificate.sha256}</code>
          </p>
        </>
      )}
    </>
  );
}
