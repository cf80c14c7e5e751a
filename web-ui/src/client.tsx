import './style.css';
// Used by the first view only; imported here so that it is among the files browsers may load.
import './icon.svg?no-inline';
import { hydrate, render } from 'preact';
import type { Language } from '../../src/web/language.ts';
import type { PageView } from '../../src/web/view.ts';
import type { Desk } from './desk.ts';
import { frameOf, speechOf } from './frame.ts';
import { type LiveState, LiveStatus } from './live.ts';
import { Page, type PageProps, pageTitle } from './page.tsx';
import type { Catalogue } from './speech.ts';

/** Only the language of this page is loaded. */
const loadWords: Readonly<Record<Language, () => Promise<Catalogue>>> = {
  en: () => import('./words/en.ts'),
  de: () => import('./words/de.ts'),
  fr: () => import('./words/fr.ts'),
  es: () => import('./words/es.ts'),
};

async function start(root: Element, data: Element): Promise<void> {
  const first = JSON.parse(data.textContent) as PageView;
  const speech = speechOf(first.language, await loadWords[first.language]());
  let desk: Desk | null = null;
  const propsOf = ({ report, now, stoppedAt }: LiveState): PageProps => ({
    view: { ...first, report },
    frame: frameOf(report, speech, now),
    stoppedAt,
    desk,
  });
  const { report } = first;
  hydrate(<Page {...propsOf({ report, now: Date.parse(report.time), stoppedAt: null })} />, root);
  const live = new LiveStatus('/api/v1/events', report, (state) => {
    const props = propsOf(state);
    render(<Page {...props} />, root);
    const title = pageTitle(props);
    if (document.title !== title) document.title = title;
  });
  live.start();
  if (!first.canSignIn) return;
  ({ desk } = await import('./desk/desk.tsx'));
  live.show();
}

const root = document.getElementById('app');
const data = document.getElementById('status');
if (root !== null && data !== null) void start(root, data);
