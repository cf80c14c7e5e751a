import './style.css';
// Used by the first view only; imported here so that it is among the files browsers may load.
import './icon.svg?no-inline';
import { hydrate, render } from 'preact';
import type { PageView } from '../../src/web/view.ts';
import { frameOf } from './frame.ts';
import { type LiveState, LiveStatus } from './live.ts';
import { Page, type PageProps, pageTitle } from './page.tsx';

function start(root: Element, data: Element): void {
  const first = JSON.parse(data.textContent) as PageView;
  const propsOf = ({ report, now, stoppedAt }: LiveState): PageProps => ({
    view: { ...first, report },
    frame: frameOf(report, now),
    stoppedAt,
  });
  const { report } = first;
  hydrate(<Page {...propsOf({ report, now: Date.parse(report.time), stoppedAt: null })} />, root);
  new LiveStatus('/api/v1/events', report, (state) => {
    const props = propsOf(state);
    render(<Page {...props} />, root);
    const title = pageTitle(props);
    if (document.title !== title) document.title = title;
  }).start();
}

const root = document.getElementById('app');
const data = document.getElementById('status');
if (root !== null && data !== null) start(root, data);
