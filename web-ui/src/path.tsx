import type { ComponentChildren, JSX } from 'preact';
import type { StatusReport } from '../../src/health/status.ts';
import type { Frame } from './format.ts';
import { ThingIcon, type ThingName, ToneIcon } from './icons.tsx';
import { State } from './parts.tsx';
import { boxWords, intakeWords, type StateWords, wayOut } from './words.ts';

/** The way of an image, so that the broken piece is seen. */
export function Path({ report, frame }: { report: StatusReport; frame: Frame }): JSX.Element {
  const { speech } = frame;
  const modalities = Object.keys(report.modalities).length;
  const archives = Object.entries(report.destinations).filter(([, one]) => one.state !== 'removed');
  const archiveName =
    archives.length === 1 ? archives[0]?.[0] : speech.say('path.archives', { n: archives.length });
  const { near, far } = wayOut(report, frame);
  return (
    <section class="wide" aria-labelledby="path-title" id="path">
      <h2 id="path-title">{speech.say('path.title')}</h2>
      <ol class="path">
        <Stop thing="modality" name={speech.say('path.modalities')}>
          {modalities === 0 ? speech.say('path.noneKnown') : speech.say('path.known', { n: modalities })}
        </Stop>
        <Hop words={intakeWords(report, frame)} />
        <Stop thing="box" name={speech.say('path.box')}>
          <State words={boxWords(report, frame)} />
        </Stop>
        <Hop words={near} />
        <Stop thing="internet" name={speech.say('path.internet')} />
        <Hop words={far} />
        <Stop thing="archive" name={speech.say('path.archive')}>
          {archives.length === 0 ? speech.say('none') : <bdi>{archiveName}</bdi>}
        </Stop>
      </ol>
    </section>
  );
}

function Stop(props: { thing: ThingName; name: string; children?: ComponentChildren }): JSX.Element {
  return (
    <li class={`stop stop-${props.thing}`}>
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
