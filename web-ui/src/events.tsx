import type { JSX } from 'preact';
import type { EventReport, StatusReport } from '../../src/health/status.ts';
import type { Frame } from './format.ts';
import { ToneIcon } from './icons.tsx';
import { Ago, Card, Told } from './parts.tsx';
import type { Tone } from './words.ts';

const openMax = 8;

const tones = { info: 'idle', good: 'ok', warn: 'warn', bad: 'bad' } as const satisfies Record<
  EventReport['tone'],
  Tone
>;

export function Events({ report, frame }: { report: StatusReport; frame: Frame }): JSX.Element {
  const { speech } = frame;
  const earlier = report.events.slice(openMax);
  return (
    <Card id="events" title={speech.say('events.title')} wide>
      <p class="small">{speech.say('events.since')}</p>
      <EventList events={report.events.slice(0, openMax)} frame={frame} />
      {earlier.length === 0 ? null : (
        <details>
          <summary>{speech.say('events.earlier', { n: earlier.length })}</summary>
          <EventList events={earlier} frame={frame} />
        </details>
      )}
    </Card>
  );
}

/** Refusals and failures of archives go by the same codes as where they stand now. */
function knownCode({ code }: EventReport, { speech }: Frame): string {
  return speech.byCode(`event.${code}`) === null ? `cause.${code}` : `event.${code}`;
}

function EventList({ events, frame }: { events: readonly EventReport[]; frame: Frame }): JSX.Element {
  return (
    <ol class="events">
      {events.map((event, index) => (
        <li key={`${event.at} ${event.code} ${event.subject ?? ''} ${index}`}>
          <span class={`state tone-${tones[event.tone]}`}>
            <ToneIcon tone={tones[event.tone]} />
            <span>
              <b class="state-word">{frame.speech.say(`tone.${event.tone}`)}</b>{' '}
              <span class="state-detail">
                <Ago at={event.at} frame={frame} />
              </span>
            </span>
          </span>
          <span>
            {event.subject === null ? null : (
              <>
                <b>
                  <bdi>{event.subject}</bdi>
                </b>
                {': '}
              </>
            )}
            <Told code={knownCode(event, frame)} words={event.words} frame={frame} />{' '}
            <span class="code">{event.code}</span>
          </span>
        </li>
      ))}
    </ol>
  );
}
