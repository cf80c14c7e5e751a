import { render } from 'preact-render-to-string';
import type { Language } from '../../src/web/language.ts';
import type { PageLinks, PageView } from '../../src/web/view.ts';
import { frameOf, refreshSeconds, speechOf } from './frame.ts';
import icon from './icon.svg?no-inline';
import { Page, pageTitle } from './page.tsx';
import type { Catalogue } from './speech.ts';
import * as de from './words/de.ts';
import * as en from './words/en.ts';
import * as es from './words/es.ts';
import * as fr from './words/fr.ts';

const catalogues: Readonly<Record<Language, Catalogue>> = { en, de, fr, es };

/** JSON that may stand in a script element: no `<` can end it or open a comment. */
function embeddable(view: PageView): string {
  return JSON.stringify(view).replaceAll('<', '\\u003c');
}

/** The whole HTML document for the first view. Carries the view as data, for the script to go on from. */
export function renderPage(view: PageView, links: PageLinks): string {
  const { language, report } = view;
  const frame = frameOf(report, speechOf(language, catalogues[language]), Date.parse(report.time));
  const props = { view, frame, stoppedAt: null, desk: null };
  const words = links.words[language];
  const html = render(
    <html lang={language}>
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
        {words === undefined ? null : <link rel="modulepreload" href={words} />}
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
