import type { ComponentChildren, JSX } from 'preact';
import type { PageView } from '../../src/web/view.ts';
import { Refusals } from './refusals.tsx';
import { Box, Destinations, TypeThis, Waiting } from './sections.tsx';
import { clockSeconds, clockTime, counted, nouns, number, type TimeFrame } from './format.ts';
import { ThingIcon, ToneIcon } from './icons.tsx';
import { Modalities } from './modalities.tsx';
import { Ago, DoThis, State } from './parts.tsx';
import { Tls } from './tls.tsx';
import {
  boxWords,
  intakeWords,
  lastConfirmedAt,
  lineWords,
  parkedCount,
  type StateWords,
  verdictWords,
} from './words.ts';

export interface PageProps {
  readonly view: PageView;
  readonly frame: TimeFrame;
  /** When the page last heard from the gateway, where it no longer does; null while it is live. */
  readonly stoppedAt: number | null;
}

/** The title of the tab: the verdict first, so that it can be read from the tab bar. */
export function pageTitle({ view, frame, stoppedAt }: PageProps): string {
  const { report } = view;
  const word =
    stoppedAt === null ? verdictWords(report).word : `Not updating since ${clockSeconds(stoppedAt, frame)}`;
  return `${word} · ${report.site.name} · Gantry`;
}

/** The whole page as a function of what the gateway said and what time it is there. */
export function Page({ view, frame, stoppedAt }: PageProps): JSX.Element {
  const { report } = view;
  return (
    <div class={stoppedAt === null ? 'page' : 'page stopped'}>
      {stoppedAt === null ? null : (
        <p class="banner" role="alert">
          This page stopped updating at {clockSeconds(stoppedAt, frame)}
        </p>
      )}
      <header>
        <h1>{report.site.name}</h1>
        <p>
          Gantry image gateway · {clockTime(frame.now, frame)} {frame.timeZone}
        </p>
      </header>
      <main>
        <VerdictCard report={report} frame={frame} stoppedAt={stoppedAt} />
        <Path report={report} frame={frame} />
        <TypeThis view={view} />
        <Modalities report={report} frame={frame} />
        <Waiting report={report} frame={frame} />
        <Destinations report={report} frame={frame} />
        <Box report={report} frame={frame} />
        <Tls report={report} frame={frame} />
        <Refusals report={report} frame={frame} />
      </main>
      <footer>
        <p>
          Gantry {report.version} · settings generation {number(report.config.generation, frame)} · started{' '}
          <Ago at={report.startedAt} frame={frame} />
        </p>
        <p>Times are in {frame.timeZone}. This page shows no patient data.</p>
        <noscript>
          <p>This page reloads itself every 15 seconds.</p>
        </noscript>
      </footer>
    </div>
  );
}

interface VerdictProps {
  readonly report: PageView['report'];
  readonly frame: TimeFrame;
  readonly stoppedAt: number | null;
}

function VerdictCard({ report, frame, stoppedAt }: VerdictProps): JSX.Element {
  const said = verdictWords(report);
  // What was true then is not claimed now: a frozen green page is worse than none.
  const shown =
    stoppedAt === null
      ? { ...said, reason: report.reason, nextStep: report.nextStep }
      : {
          tone: 'idle' as const,
          word: 'Not known',
          reason: `At ${clockSeconds(stoppedAt, frame)} it was: ${said.word}. ${report.reason}`,
          nextStep: 'Check that the box has power and that this device is on the same network.',
        };
  return (
    <section class={`verdict tone-${shown.tone}`} aria-label="Is it working?">
      <div role="status">
        <p class="verdict-word">
          <ToneIcon tone={shown.tone} />
          <strong>{shown.word}</strong>
        </p>
        <p class="verdict-reason">{shown.reason}</p>
        {shown.nextStep === null ? null : (
          <p class="verdict-next">
            <DoThis /> {shown.nextStep}
          </p>
        )}
      </div>
      <VerdictFacts report={report} frame={frame} />
    </section>
  );
}

/** What decides whether to worry: the last confirmation, and what is not in the archive yet. */
function VerdictFacts({ report, frame }: { report: PageView['report']; frame: TimeFrame }): JSX.Element {
  const confirmedAt = lastConfirmedAt(report);
  const { instances } = report.queue;
  const parked = parkedCount(report);
  return (
    <ul class="verdict-facts">
      <li>
        {confirmedAt === null ? (
          'The archive has not confirmed an image yet'
        ) : (
          <>
            Last confirmed by the archive {clockTime(confirmedAt, frame)} (
            <Ago at={confirmedAt} frame={frame} />)
          </>
        )}
      </li>
      {instances + parked === 0 ? null : <li>{keptWords(instances, parked, frame)}</li>}
    </ul>
  );
}

function keptWords(waiting: number, parked: number, frame: TimeFrame): string {
  const safe = `${counted(waiting + parked, nouns.image, frame)} safe on this box`;
  const aside = `${number(parked, frame)} set aside`;
  if (parked === 0) return `${safe}, waiting to be sent`;
  return waiting === 0 ? `${safe}, all set aside` : `${safe}: ${number(waiting, frame)} waiting, ${aside}`;
}

/** The way of an image, so that the broken piece is seen. */
function Path({ report, frame }: { report: PageView['report']; frame: TimeFrame }): JSX.Element {
  const box = boxWords(report, frame);
  const modalities = Object.keys(report.modalities).length;
  const archives = Object.entries(report.destinations).filter(([, one]) => one.state !== 'removed');
  const archiveName = archives.length === 1 ? archives[0]?.[0] : `${archives.length} archives`;
  return (
    <section class="wide" aria-labelledby="path-title">
      <h2 id="path-title">The way of an image</h2>
      <ol class="path">
        <Stop thing="modality" name="Modalities">
          {modalities === 0 ? 'none known yet' : `${modalities} known`}
        </Stop>
        <Hop words={intakeWords(report, frame)} />
        <Stop thing="box" name="This box">
          <State words={box} />
        </Stop>
        <Hop words={lineWords(report, frame)} />
        <Stop thing="archive" name="Archive">
          {archives.length === 0 ? 'none' : <bdi>{archiveName}</bdi>}
        </Stop>
      </ol>
    </section>
  );
}

function Stop(props: {
  thing: 'modality' | 'box' | 'archive';
  name: string;
  children: ComponentChildren;
}): JSX.Element {
  return (
    <li class="stop">
      <ThingIcon thing={props.thing} />
      <span class="stop-text">
        <b>{props.name}</b>
        <span class="small">{props.children}</span>
      </span>
    </li>
  );
}

function Hop({ words }: { words: StateWords }): JSX.Element {
  return (
    <li class={`hop tone-${words.tone}`}>
      <span class="hop-line" aria-hidden="true">
        <ToneIcon tone={words.tone} />
      </span>
      <span class="hop-text">
        <b class="state-word">{words.word}</b>
        {words.detail === null ? null : <span class="state-detail">{words.detail}</span>}
      </span>
    </li>
  );
}
