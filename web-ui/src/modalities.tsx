import type { JSX } from 'preact';
import type { ModalityReport, RefusalReport, StatusReport } from '../../src/health/status.ts';
import type { Desk } from './desk.ts';
import type { Frame } from './format.ts';
import { Ago, Card, DoThis, Fact, Facts, Foreign, Rich, State, Told } from './parts.tsx';
import { isRefused, modalityWords, type Tone } from './words.ts';

const toneOrder: readonly Tone[] = ['bad', 'warn', 'ok', 'idle'];

interface ModalitiesProps {
  readonly report: StatusReport;
  readonly frame: Frame;
  readonly desk: Desk | null;
}

export function Modalities({ report, frame, desk }: ModalitiesProps): JSX.Element {
  const { speech } = frame;
  // Those refused come first: they are what somebody stands in front of the box for.
  const rank = (one: ModalityReport) => toneOrder.indexOf(modalityWords(one, frame).tone);
  const all = Object.entries(report.modalities).toSorted(([, a], [, b]) => rank(a) - rank(b));
  const { associations, associationsMax, idleConnections, idleConnectionsMax } = report.intake;
  const share = (part: number, whole: number) => speech.say('of.share', { part, whole });
  return (
    <Card id="modalities" title={speech.say('modalities.title')} wide>
      {all.length === 0 ? (
        <p class="small">{speech.say('modalities.none')}</p>
      ) : (
        <ul class="rows columns">
          {all.map(([name, one]) => (
            <Modality key={name} name={name} one={one} frame={frame} desk={desk} />
          ))}
        </ul>
      )}
      <p class="small in-use">
        {speech.say('modality.inUse', {
          associations: share(associations, associationsMax),
          idle: share(idleConnections, idleConnectionsMax),
        })}
      </p>
      {desk === null ? null : <desk.Modalities frame={frame} heard={heard(report)} />}
    </Card>
  );
}

/** Different whenever somebody was refused, or let in for the first time. */
function heard({ intake, modalities }: StatusReport): string {
  const refusals = intake.refusals.map(({ at, count }) => `${at} ${count}`);
  return [...Object.keys(modalities), ...refusals].join();
}

function Modality(props: {
  name: string;
  one: ModalityReport;
  frame: Frame;
  desk: Desk | null;
}): JSX.Element {
  const { name, one, frame, desk } = props;
  const { speech } = frame;
  return (
    <li>
      <p class="row-head">
        <b>
          <Foreign text={name} frame={frame} />
        </b>
        <State words={modalityWords(one, frame)} />
      </p>
      <p class="small">
        {speech.say(one.configured ? 'modality.aeTitle' : 'modality.unknown')}{' '}
        <code>
          <Foreign text={one.aeTitle} frame={frame} />
        </code>
      </p>
      <Facts>
        <Fact name={speech.say('modality.lastImage')}>
          {one.lastReceivedAt === null ? speech.say('never') : <Ago at={one.lastReceivedAt} frame={frame} />}
        </Fact>
        <Fact name={speech.say('modality.today')}>{speech.number(one.receivedToday)}</Fact>
        <Fact name={speech.say('modality.total')}>{speech.number(one.received)}</Fact>
      </Facts>
      {one.lastRefusal === null ? null : (
        <LastRefusal refusal={one.lastRefusal} now={isRefused(one)} frame={frame} />
      )}
      {desk === null ? null : <desk.Modality about={{ name, one }} frame={frame} />}
    </li>
  );
}

/** @param props.now whether that is how things still stand */
function LastRefusal(props: { refusal: RefusalReport; now: boolean; frame: Frame }): JSX.Element {
  const { refusal, now, frame } = props;
  return (
    <p class={now ? 'note tone-warn' : 'small'}>
      <Rich
        phrase="modality.lastRefused"
        frame={frame}
        parts={{ ago: <Ago at={refusal.at} frame={frame} /> }}
      />{' '}
      <Told code={`cause.${refusal.code}`} words={refusal.reason} frame={frame} />
      {now ? (
        <>
          {' '}
          <Titles refusal={refusal} frame={frame} /> <DoThis frame={frame} />{' '}
          <Told code={`do.${refusal.code}`} words={refusal.nextStep} frame={frame} />{' '}
          <span class="code">{refusal.code}</span>
        </>
      ) : null}
    </p>
  );
}

/** What it called us, and itself: the mistake is most often to be seen here. */
function Titles({ refusal, frame }: { refusal: RefusalReport; frame: Frame }): JSX.Element | null {
  if (refusal.calledAeTitle === '') return null;
  return (
    <Rich
      phrase="modality.titles"
      frame={frame}
      parts={{
        calling: <code>{refusal.callingAeTitle}</code>,
        called: <code>{refusal.calledAeTitle}</code>,
        address: <code>{refusal.address}</code>,
      }}
    />
  );
}
