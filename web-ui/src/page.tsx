import type { JSX } from 'preact';
import { languages } from '../../src/web/language.ts';
import type { PageView } from '../../src/web/view.ts';
import { Actions } from './actions.tsx';
import { Archives } from './archives.tsx';
import { Box } from './box.tsx';
import type { Desk } from './desk.ts';
import { Events } from './events.tsx';
import { clockSeconds, clockTime, type Frame } from './format.ts';
import { Modalities } from './modalities.tsx';
import { Network, TypeThis } from './network.tsx';
import { Ago, Rich } from './parts.tsx';
import { Path } from './path.tsx';
import { Refusals } from './refusals.tsx';
import { Tls } from './tls.tsx';
import { VerdictCard } from './verdict.tsx';
import { Waiting } from './waiting.tsx';
import { verdictWords } from './words.ts';

export interface PageProps {
  readonly view: PageView;
  readonly frame: Frame;
  /** When the page last heard from the gateway, where it no longer does; null while it is live. */
  readonly stoppedAt: number | null;
  /** What somebody who may sign in here can do; null in the first view and where nobody can. */
  readonly desk: Desk | null;
}

/** The title of the tab: the verdict first, so that it can be read from the tab bar. */
export function pageTitle({ view, frame, stoppedAt }: PageProps): string {
  const { report } = view;
  const word =
    stoppedAt === null
      ? verdictWords(report, frame).word
      : frame.speech.say('stopped.title', { time: clockSeconds(stoppedAt, frame) });
  return `${word} · ${report.site.name} · Gantry`;
}

/** The whole page as a function of what the gateway said and what time it is there. */
export function Page({ view, frame, stoppedAt, desk }: PageProps): JSX.Element {
  const { report } = view;
  const { speech } = frame;
  const { staleAddresses } = report;
  return (
    <div class={stoppedAt === null ? 'page' : 'page stopped'}>
      {stoppedAt === null ? null : (
        <p class="banner" role="alert">
          {speech.say('stopped', { time: clockSeconds(stoppedAt, frame) })}
        </p>
      )}
      <header>
        <h1>{report.site.name}</h1>
        <p>
          {speech.say('head.product')} · {clockTime(frame.now, frame)} {frame.timeZone}
        </p>
        <Languages view={view} frame={frame} />
      </header>
      <main>
        {staleAddresses.length === 0 ? null : (
          <p class="note moved tone-warn wide">
            {speech.say('moved', {
              names: staleAddresses.map(({ modality }) => modality).join(', '),
              was: [...new Set(staleAddresses.map(({ address }) => address))].join(', '),
              now: view.addresses.join(', ') || speech.say('unknown'),
            })}
          </p>
        )}
        <VerdictCard report={report} frame={frame} stoppedAt={stoppedAt} />
        <Path report={report} frame={frame} />
        <Modalities report={report} frame={frame} desk={desk} />
        <Refusals report={report} frame={frame} />
        <Waiting report={report} frame={frame} desk={desk} />
        <Archives report={report} frame={frame} desk={desk} />
        <Box report={report} frame={frame} desk={desk} />
        <Network view={view} frame={frame} desk={desk} />
        <TypeThis view={view} frame={frame} />
        <Tls report={report} frame={frame} />
        <Actions view={view} frame={frame} desk={desk} />
        <Events report={report} frame={frame} />
      </main>
      <Footer view={view} frame={frame} />
    </div>
  );
}

/** Links, not a form: they work without a script, and the choice is kept in this browser. */
function Languages({ view, frame }: { view: PageView; frame: Frame }): JSX.Element {
  return (
    <nav class="languages" aria-label={frame.speech.say('head.language')}>
      <ul>
        {Object.entries(languages).map(([code, name]) => (
          <li key={code}>
            <a
              href={`/?lang=${code}`}
              lang={code}
              hreflang={code}
              aria-current={code === view.language ? 'true' : undefined}
            >
              {name}
            </a>
          </li>
        ))}
      </ul>
    </nav>
  );
}

function Footer({ view: { report, language }, frame }: { view: PageView; frame: Frame }): JSX.Element {
  const { speech } = frame;
  return (
    <footer>
      <p>
        <Rich
          phrase="foot.version"
          frame={frame}
          values={{ version: report.version, generation: report.config.generation }}
          parts={{ ago: <Ago at={report.startedAt} frame={frame} /> }}
        />
      </p>
      <p>{speech.say('foot.times', { zone: frame.timeZone })}</p>
      {language === 'en' ? null : <p>{speech.say('foot.english')}</p>}
      <noscript>
        <p>{speech.say('foot.reload')}</p>
      </noscript>
    </footer>
  );
}
