import { extname } from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { GantryError } from '../base/errors.ts';
import { importOwnModule, listOwnFiles, readOwnFile } from '../base/own-files.ts';
import { languages } from './language.ts';
import type { PageLinks, PageView } from './view.ts';

const gzipAsync = promisify(gzip);

/** A file the page needs. Its name carries a hash of its content, so it may be kept for ever. */
export interface PageAsset {
  readonly type: string;
  readonly body: Buffer;
  readonly gzipped: Buffer;
}

export interface PageRenderer {
  /** The whole HTML document; reads completely without JavaScript. */
  render(view: PageView): string;
  /** By path below `/assets/`. Nothing else is served. */
  readonly assets: ReadonlyMap<string, PageAsset>;
}

const assetTypes: Readonly<Record<string, string>> = {
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

type RenderPage = (view: PageView, links: PageLinks) => string;

const builtPage = new URL('../../web-ui/dist/', import.meta.url);

/**
 * Loads the built page; where it was not built, a plain one that shows the verdict and says so.
 * @param dist folder with `client/` and `server/`
 * @throws GantryError WEB_PAGE_BROKEN where the built files do not fit together
 */
export async function loadPage(dist: URL = builtPage): Promise<PageRenderer> {
  const manifest = readOwnFile(new URL('client/manifest.json', dist));
  if (manifest === null) return unbuiltPage;
  try {
    const links = linksOf(JSON.parse(manifest.toString('utf8')));
    const renderPage = await importRenderer(new URL('server/server.js', dist));
    const assets = await readAssets(new URL('client/assets/', dist));
    return { render: (view) => renderPage(view, links), assets };
  } catch (cause) {
    throw new GantryError(
      {
        code: 'WEB_PAGE_BROKEN',
        kind: 'permanent',
        message: 'The built files of the page do not fit together.',
        nextStep: 'Run `npm run build` and start the gateway again.',
      },
      { cause },
    );
  }
}

/** Script, style sheets and words of the entry point in Vite's manifest. */
function linksOf(manifest: unknown): PageLinks {
  const bySource = manifest as Record<string, ManifestEntry>;
  const entry = Object.values(bySource).find((one) => one.isEntry === true);
  if (entry === undefined) throw new Error('the manifest names no entry point');
  const words = Object.keys(languages).map((language) => [
    language,
    `/${bySource[`src/words/${language}.ts`]?.file ?? ''}`,
  ]);
  return {
    script: `/${entry.file}`,
    styles: (entry.css ?? []).map((file) => `/${file}`),
    words: Object.fromEntries(words) as PageLinks['words'],
  };
}

interface ManifestEntry {
  readonly file: string;
  readonly isEntry?: boolean;
  readonly css?: readonly string[];
}

async function importRenderer(file: URL): Promise<RenderPage> {
  const bundle: { renderPage?: unknown } = await importOwnModule(file);
  if (typeof bundle.renderPage !== 'function') throw new Error('the server bundle exports no renderPage');
  return bundle.renderPage as RenderPage;
}

async function readAssets(folder: URL): Promise<Map<string, PageAsset>> {
  const assets = new Map<string, PageAsset>();
  for (const name of listOwnFiles(folder)) {
    const type = assetTypes[extname(name)];
    const body = readOwnFile(new URL(name, folder));
    if (type === undefined || body === null) continue;
    assets.set(name, { type, body, gzipped: await gzipAsync(body, { level: 9 }) });
  }
  return assets;
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}

/** A page of paragraphs: for when the real one cannot be had. Refreshes itself. */
export function plainPage(title: string, paragraphs: readonly string[]): string {
  const body = paragraphs.map((text) => `<p>${escaped(text)}</p>`).join('\n');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<meta http-equiv="refresh" content="15">
<title>${escaped(title)}</title>
</head>
<body>
<h1>${escaped(title)}</h1>
${body}
</body>
</html>
`;
}

const unbuiltPage: PageRenderer = {
  render: ({ report }) =>
    plainPage(`Gantry: ${report.verdict}`, [
      report.reason,
      ...(report.nextStep === null ? [] : [report.nextStep]),
      `${report.queue.instances} images are waiting to be sent.`,
      'This is the short form: the full page has not been built. Run `npm run build` and start the gateway again.',
    ]),
  assets: new Map(),
};
