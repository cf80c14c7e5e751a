import type { JSX } from 'preact';
import type { Permission, StatusReport } from '../../src/health/status.ts';
import { clockSeconds, clockTime, type Frame } from './format.ts';
import { ToneIcon } from './icons.tsx';
import { Ago, DoThis, Rich, Told } from './parts.tsx';
import type { Values } from './speech.ts';
import { causeWords, lastConfirmedAt, parkedCount, verdictWords } from './words.ts';

interface VerdictProps {
  readonly report: StatusReport;
  readonly frame: Frame;
  readonly stoppedAt: number | null;
}

export function VerdictCard({ report, frame, stoppedAt }: VerdictProps): JSX.Element {
  const { speech } = frame;
  const said = verdictWords(report, frame);
  const reason = (
    <Told
      code={`verdict.${report.code}`}
      words={report.reason}
      values={verdictValues(report, frame)}
      frame={frame}
    />
  );
  // What was true then is not claimed now: a frozen green page is worse than none.
  const live = stoppedAt === null;
  const tone = live ? said.tone : 'idle';
  return (
    <section class={`verdict tone-${tone}`} aria-label={speech.say('verdict.title')} id="verdict">
      <div role="status">
        <p class="verdict-word">
          <ToneIcon tone={tone} />
          <strong>{live ? said.word : speech.say('verdict.unknown')}</strong>
        </p>
        <p class="verdict-reason">
          {live ? (
            reason
          ) : (
            <Rich
              phrase="verdict.was"
              frame={frame}
              values={{ time: clockSeconds(stoppedAt, frame), word: said.word }}
              parts={{ reason }}
            />
          )}
        </p>
        {live && report.nextStep === null ? null : (
          <p class="verdict-next">
            <DoThis frame={frame} />{' '}
            {live ? <NextStep report={report} frame={frame} /> : speech.say('verdict.check')}
          </p>
        )}
      </div>
      <VerdictFacts report={report} frame={frame} />
      {live ? <SafeTo report={report} frame={frame} /> : null}
    </section>
  );
}

/** What the sentences of the verdict are filled with. */
function verdictValues(report: StatusReport, frame: Frame): Values {
  const { about, queue, disk } = report;
  const { speech } = frame;
  const kept = queue.instances + parkedCount(report);
  const days = disk.daysLeft === null ? null : Math.floor(disk.daysLeft);
  return {
    n: about.count,
    name: about.name,
    cause: about.cause === null ? speech.say('unknown') : unpunctuated(causeWords(about.cause, frame)),
    kept: kept === 0 ? '' : speech.say('tail.kept', { n: kept }),
    room: kept === 0 || days === null ? '' : speech.say('tail.room', { n: days }),
    time: about.at === null ? '' : clockTime(Date.parse(about.at), frame),
  };
}

function unpunctuated(text: string): string {
  return text.replace(/[.\s]+$/, '');
}

/** What to do about these depends on what caused them. */
const stepsByCause: ReadonlySet<string> = new Set([
  'MODALITY_REFUSED',
  'TLS_CLOSED',
  'TLS_FILES_REJECTED',
  'CONFIG_REJECTED',
]);

function NextStep({ report, frame }: { report: StatusReport; frame: Frame }): JSX.Element {
  const { code, about, nextStep } = report;
  const known = stepsByCause.has(code) ? `do.${about.cause?.code ?? ''}` : `do.${code}`;
  const values = verdictValues(report, frame);
  return (
    <>
      <Told code={known} words={nextStep ?? ''} values={values} frame={frame} />{' '}
      {frame.speech.byCode(`until.${code}`, values)} <span class="code">{about.cause?.code ?? code}</span>
    </>
  );
}

/** What decides whether to worry: the last confirmation, and what is not in the archive yet. */
function VerdictFacts({ report, frame }: { report: StatusReport; frame: Frame }): JSX.Element {
  const { speech } = frame;
  const confirmedAt = lastConfirmedAt(report);
  const kept = keptWords(report, frame);
  return (
    <ul class="verdict-facts">
      <li>
        {confirmedAt === null ? (
          speech.say('verdict.neverConfirmed')
        ) : (
          <Rich
            phrase="verdict.confirmed"
            frame={frame}
            values={{ time: clockTime(confirmedAt, frame) }}
            parts={{ ago: <Ago at={confirmedAt} frame={frame} /> }}
          />
        )}
      </li>
      {kept === null ? null : <li>{kept}</li>}
      <li>
        <Rich
          phrase="verdict.box"
          frame={frame}
          parts={{ id: <code class="box-id">{report.box.id}</code> }}
        />
      </li>
    </ul>
  );
}

function keptWords(report: StatusReport, { speech }: Frame): string | null {
  const waiting = report.queue.instances;
  const aside = parkedCount(report);
  if (waiting + aside === 0) return null;
  const images = speech.say('images', { n: waiting + aside });
  if (aside === 0) return speech.say('verdict.waiting', { images });
  return waiting === 0
    ? speech.say('verdict.aside', { images })
    : speech.say('verdict.both', { images, waiting, aside });
}

function SafeTo({ report, frame }: { report: StatusReport; frame: Frame }): JSX.Element {
  const { switchOff, replaceDisk } = report.safeTo;
  return (
    <dl class="safe-to">
      <Answer question={frame.speech.say('safe.switchOff')} answer={switchOff} frame={frame} />
      <Answer question={frame.speech.say('safe.replaceDisk')} answer={replaceDisk} frame={frame} />
    </dl>
  );
}

function Answer(props: { question: string; answer: Permission; frame: Frame }): JSX.Element {
  const { question, answer, frame } = props;
  const { safe, code, words, count } = answer;
  return (
    <div>
      <dt>{question}</dt>
      <dd>
        <span class={`state tone-${safe ? 'ok' : 'bad'}`}>
          <ToneIcon tone={safe ? 'ok' : 'bad'} />
          <span>
            <b class="state-word">{frame.speech.say(safe ? 'yes' : 'no')}</b>:{' '}
            <Told code={`safe.${code}`} words={words} values={{ n: count }} frame={frame} />.
          </span>
        </span>
      </dd>
    </div>
  );
}
