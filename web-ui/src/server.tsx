import { render } from 'preact-render-to-string';
import type { PageLinks, PageView } from '../../src/web/view.ts';
import { frameOf, refreshSeconds } from './frame.ts';
import icon from './icon.svg?no-inline';
import { Page, pageTitle } from './page.tsx';

/** JSON that may stand in a script element: no `<` can end it or open a comment. */
function embeddable(view: PageView): string {
  return JSON.stringify(view).replaceAll('<', '\\u003c');
}

/** The whole HTML document for the first view. Carries the view as data, for the script to go on from. */
export function renderPage(view: PageView, links: PageLinks): string {
  const frame = frameOf(view.report, Date.parse(view.report.time));
  const props = { view, frame, stoppedAt: null };
  const html = render(
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>{pageTitle(props)}</title>
        <noscript>
          <meta http-equiv="refresh" content={String(refreshSeconds)} />
        </noscript>
        <link rel="icon" type="image/svg+xml" href={icon} />
        {links.styles.map((href) => (
          <link key={href} rel="stylesheet" href={href} />
        ))}
        <script type="module" src={links.script} />
      </head>
      <body>
        <div id="app">
          <Page {...props} />
        </div>
        {/* Data, not script: the content policy has nothing to say about it. */}
        <script type="application/json" id="status" dangerouslySetInnerHTML={{ __html: embeddable(view) }} />
      </body>
    </html>,
  );
  return `<!doctype html>${html}`;
}
