import type { JSX } from 'preact';
import type { ModalityReport, RefusalReport, StatusReport } from '../../src/health/status.ts';
import { counted, nouns, number, type TimeFrame } from './format.ts';
import { Ago, Card, DoThis, Fact, Facts, Foreign, State } from './parts.tsx';
import { isRefused, modalityWords, type Tone } from './words.ts';

const toneOrder: readonly Tone[] = ['bad', 'warn', 'ok', 'idle'];

export function Modalities({ report, frame }: { report: StatusReport; frame: TimeFrame }): JSX.Element {
  // Those refused come first: they are what somebody stands in front of the box for.
  const rank = (one: ModalityReport) => toneOrder.indexOf(modalityWords(one, frame).tone);
  const all = Object.entries(report.modalities).toSorted(([, a], [, b]) => rank(a) - rank(b));
  return (
    <Card id="modalities" title="Modalities">
      {all.length === 0 ? (
        <p class="small">No modality is set up, and none has sent anything yet.</p>
      ) : (
        <ul class="rows">
          {all.map(([name, one]) => (
            <Modality key={name} name={name} one={one} frame={frame} />
          ))}
        </ul>
      )}
      <InUse intake={report.intake} frame={frame} />
    </Card>
  );
}

/** What devices take up at present, and how much they may. */
function InUse({ intake, frame }: { intake: StatusReport['intake']; frame: TimeFrame }): JSX.Element {
  const share = (part: number, whole: number) => `${number(part, frame)} of ${number(whole, frame)}`;
  return (
    <>
      <h3>Connections</h3>
      <Facts>
        <Fact name="Associations in use">{share(intake.associations, intake.associationsMax)}</Fact>
        <Fact name="Idle connections">{share(intake.idleConnections, intake.idleConnectionsMax)}</Fact>
      </Facts>
    </>
  );
}

function Modality(props: { name: string; one: ModalityReport; frame: TimeFrame }): JSX.Element {
  const { name, one, frame } = props;
  const words = modalityWords(one, frame);
  return (
    <li>
      <p class="row-head">
        <b>
          <Foreign text={name} />
        </b>
        <State words={words} />
      </p>
      <p class="small">
        {one.configured ? 'AE title' : 'Unknown caller, AE title'}{' '}
        <code>
          <Foreign text={one.aeTitle} />
        </code>{' '}
        · {counted(one.received, nouns.image, frame)}
        {one.lastReceivedAt === null ? null : (
          <>
            {' '}
            · last image <Ago at={one.lastReceivedAt} frame={frame} />
          </>
        )}
      </p>
      {one.lastRefusal === null ? null : (
        <LastRefusal refusal={one.lastRefusal} now={isRefused(one)} frame={frame} />
      )}
    </li>
  );
}

/** @param props.now whether that is how things still stand */
function LastRefusal(props: { refusal: RefusalReport; now: boolean; frame: TimeFrame }): JSX.Element {
  const { refusal, now, frame } = props;
  return (
    <p class={now ? 'note tone-warn' : 'small'}>
      Last refused <Ago at={refusal.at} frame={frame} />: {refusal.reason}
      {now ? (
        <>
          {' '}
          <DoThis /> {refusal.nextStep} <span class="code">{refusal.code}</span>
        </>
      ) : null}
    </p>
  );
}
