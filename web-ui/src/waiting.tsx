import type { JSX } from 'preact';
import type { StatusReport } from '../../src/health/status.ts';
import type { Desk } from './desk.ts';
import { bytes, duration, type Frame } from './format.ts';
import { Card, DoThis, Fact, Facts, State } from './parts.tsx';

interface WaitingProps {
  readonly report: StatusReport;
  readonly frame: Frame;
  readonly desk: Desk | null;
}

export function Waiting({ report, frame, desk }: WaitingProps): JSX.Element {
  const { queue, drain } = report;
  const { speech } = frame;
  return (
    <Card id="waiting" title={speech.say('waiting.title')}>
      {queue.instances === 0 ? (
        <p>{speech.say('waiting.none')}</p>
      ) : (
        <Facts>
          <Fact name={speech.say('waiting.studies')}>{speech.number(queue.studies)}</Fact>
          <Fact name={speech.say('waiting.images')}>{speech.number(queue.instances)}</Fact>
          <Fact name={speech.say('waiting.size')}>{bytes(queue.bytes, frame)}</Fact>
          <Fact name={speech.say('waiting.oldest')}>{duration(queue.oldestAgeSeconds * 1000, frame)}</Fact>
          {drain.bytesPerSecond === null ? null : (
            <Fact name={speech.say('waiting.rate')}>
              {speech.say('waiting.perSecond', { bytes: bytes(drain.bytesPerSecond, frame) })}
            </Fact>
          )}
          {drain.etaSeconds === null ? null : (
            <Fact name={speech.say('waiting.eta')}>
              {speech.say('waiting.about', { duration: duration(drain.etaSeconds * 1000, frame) })}
            </Fact>
          )}
        </Facts>
      )}
      <Parked report={report} frame={frame} desk={desk} />
    </Card>
  );
}

const kinds = ['held', 'quarantined', 'conflict'] as const;

function Parked({ report, frame, desk }: WaitingProps): JSX.Element | null {
  const { totals } = report;
  const { speech } = frame;
  const counts = { held: totals.held, quarantined: totals.quarantined, conflict: totals.conflicts };
  const present = kinds.filter((kind) => counts[kind] > 0);
  if (present.length === 0) return null;
  return (
    <>
      <h3>{speech.say('parked.title')}</h3>
      <ul class="rows">
        {present.map((kind) => (
          <li key={kind}>
            <p class="row-head">
              <b>{speech.say(`parked.${kind}`)}</b>
              <State
                words={{ tone: 'warn', word: speech.say('images', { n: counts[kind] }), detail: null }}
              />
            </p>
            <p class="small">{speech.say(`parked.${kind}.means`)}</p>
            {desk === null ? (
              <p class="small">
                <DoThis frame={frame} /> {speech.say(`parked.${kind}.do`)}
              </p>
            ) : (
              <desk.Parked about={kind} frame={frame} />
            )}
          </li>
        ))}
      </ul>
    </>
  );
}
