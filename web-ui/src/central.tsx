import type { JSX } from 'preact';
import type { CentralReport, ChannelReport, RejectionReport, StatusReport } from '../../src/health/status.ts';
import { ago, clockTime, dateText, type Frame } from './format.ts';
import { Ago, DoThis, Fact, Facts, Rich, State, Told } from './parts.tsx';
import type { Key } from './speech.ts';
import type { StateWords } from './words.ts';

interface CentralProps {
  readonly report: StatusReport;
  readonly frame: Frame;
}

/** Which settings are in use, and who gave them. */
export function originWords({ config }: StatusReport, { speech, ...frame }: Frame): string {
  const { generation, origin, changedAt, central } = config;
  const date =
    changedAt === null ? speech.say('unknown') : dateText(Date.parse(changedAt), { speech, ...frame });
  const keys = { file: 'box.generation', page: 'box.generationPage', central: 'central.generation' } as const;
  return speech.say(keys[origin], { n: generation, m: central?.generation ?? null, date });
}

/** What becomes of new settings; and, for a box of a fleet, how central IT is reached. */
export function Central({ report, frame }: CentralProps): JSX.Element | null {
  const { central } = report.config;
  if (central === undefined) return null;
  return (
    <>
      <Notes central={central} frame={frame} />
      {central.fleet === null ? null : <Fleet central={central} fleet={central.fleet} frame={frame} />}
    </>
  );
}

interface PartProps {
  readonly central: CentralReport;
  readonly frame: Frame;
}

/** What is under way, or did not come about. */
function Notes({ central, frame }: PartProps): JSX.Element {
  const { phase, confirmUntil, waiting, failed, disbelieved } = central;
  const { speech } = frame;
  const underWay = phase === 'idle' ? null : phaseKeys[phase];
  const time = confirmUntil === null ? '' : clockTime(Date.parse(confirmUntil), frame);
  return (
    <>
      {underWay === null ? null : <p class="note tone-warn">{speech.say(underWay, { time })}</p>}
      {waiting === null ? null : <p class="note tone-warn">{waitingWords(waiting, frame)}</p>}
      {failed === null ? null : (
        <p class="note tone-warn">
          <Rich
            phrase={failed.phase === 'refused' ? 'central.refused' : 'central.undone'}
            frame={frame}
            parts={{ ago: <Ago at={failed.at} frame={frame} /> }}
          />{' '}
          <Trouble problem={failed.problem} frame={frame} />
        </p>
      )}
      {disbelieved === null ? null : (
        <p class="note tone-warn">
          <Rich
            phrase="central.disbelieved"
            frame={frame}
            values={{ times: speech.say('times', { n: disbelieved.count }) }}
            parts={{ ago: <Ago at={disbelieved.at} frame={frame} /> }}
          />{' '}
          <Trouble problem={disbelieved.problem} frame={frame} />
        </p>
      )}
    </>
  );
}

const phaseKeys = {
  validating: 'central.checking',
  applying: 'central.trial',
  confirming: 'central.trial',
  reverting: 'central.undoing',
} as const satisfies Record<Exclude<CentralReport['phase'], 'idle'>, Key>;

function waitingWords({ generation, when, opensAt }: NonNullable<CentralReport['waiting']>, frame: Frame) {
  const { speech } = frame;
  if (when === 'manual') return speech.say('central.waitsForYou', { n: generation });
  if (opensAt === null) return speech.say('central.waits', { n: generation });
  return speech.say('central.waitsUntil', { n: generation, time: clockTime(Date.parse(opensAt), frame) });
}

/** Like a problem of the box; what is for central IT to mend has one sentence that says so. */
function Trouble({ problem, frame }: { problem: RejectionReport; frame: Frame }): JSX.Element {
  const { code, words, nextStep } = problem;
  return (
    <>
      <Told code={`cause.${code}`} words={words} frame={frame} />{' '}
      {nextStep === '' ? null : (
        <>
          <DoThis frame={frame} /> <Told
            code={[`do.${code}`, 'do.CENTRAL']}
            words={nextStep}
            frame={frame}
          />{' '}
        </>
      )}
      <span class="code">{code}</span>
    </>
  );
}

const freshnessWords = {
  fresh: ['ok', 'central.fresh'],
  stale: ['warn', 'central.stale'],
  behind: ['warn', 'central.behind'],
  'clock not trusted': ['warn', 'central.clock'],
  unknown: ['idle', 'central.unheard'],
} as const;

const ways = { https: 'central.https', mqtt: 'central.mqtt', usb: 'central.usb' } as const;

function Fleet({ central, fleet, frame }: PartProps & { fleet: string }): JSX.Element {
  const { freshness, channels, overrides } = central;
  const { speech } = frame;
  const [tone, key] = freshnessWords[freshness ?? 'unknown'];
  return (
    <>
      <h3>{speech.say('central.title')}</h3>
      <Facts>
        <Fact name={speech.say('central.fleet')}>{fleet}</Fact>
        <Fact name={speech.say('central.newest')}>
          <State words={{ tone, word: speech.say(key), detail: null }} />
        </Fact>
        {channels.map((channel) => (
          <Fact key={channel.kind} name={speech.say(ways[channel.kind])}>
            <State words={channelWords(channel, frame)} />
          </Fact>
        ))}
        {overrides.length === 0 ? null : (
          <Fact name={speech.say('central.overrides')}>{overrides.join(', ')}</Fact>
        )}
      </Facts>
      {channels.map(({ kind, problem, contactAt }) =>
        problem === null ? null : (
          <p key={kind} class="note tone-warn">
            <b>{speech.say(ways[kind])}:</b> <Trouble problem={problem} frame={frame} />
            {contactAt === null ? null : (
              <>
                {' '}
                (
                <Rich
                  phrase="central.lastContact"
                  frame={frame}
                  parts={{ ago: <Ago at={contactAt} frame={frame} /> }}
                />
                )
              </>
            )}
          </p>
        ),
      )}
    </>
  );
}

function channelWords({ contactAt, nextAt, problem }: ChannelReport, frame: Frame): StateWords {
  const { speech } = frame;
  const time = nextAt === null ? null : clockTime(Date.parse(nextAt), frame);
  if (problem !== null) {
    const detail = time === null ? null : speech.say('archive.triedAt', { time });
    return { tone: 'warn', word: speech.say('path.notReached'), detail };
  }
  if (contactAt === null) return { tone: 'idle', word: speech.say('central.notYet'), detail: null };
  const since = ago(Date.parse(contactAt), frame);
  const detail = time === null ? since : speech.say('central.next', { ago: since, time });
  return { tone: 'ok', word: speech.say('central.reached'), detail };
}
