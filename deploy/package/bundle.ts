import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, relative } from 'node:path';
import { type BuildOptions, build as runEsbuild, type Plugin } from 'esbuild';
import type { Contents } from './executable.ts';
import { runTimePackages } from './run-time-packages.ts';

/** The checkout. */
export const root = join(import.meta.dirname, '..', '..');

/** Modules that `startOwnThread` starts; each becomes a script of its own. */
const threads = ['src/spool/ledger-worker.ts', 'src/codec/codec-worker.ts'];

/** What `importOwnModule` loads. */
const modules = ['web-ui/dist/server/server.js'];

/** What `readPackageFile` reads. */
const packageFiles = [
  '@cornerstonejs/codec-openjph/wasm',
  '@cornerstonejs/codec-openjpeg/decodewasm',
  '@cornerstonejs/codec-charls/wasm',
];

/**
 * Every module of ours keeps the URL it has in the checkout, moved to a root that is the same on every machine:
 * `src/base/own-files.ts` finds the files inside the executable by it. Packages get that of their entry.
 */
const ownUrls: Plugin = {
  name: 'own-urls',
  setup(build) {
    build.onLoad({ filter: /[\\/]src[\\/][^?]*\.ts$/ }, ({ path }) => {
      const name = relative(root, path);
      if (!name.startsWith('src/')) return null;
      const contents = readFileSync(path, 'utf8').replaceAll(
        /\bimport\.meta\.url\b/g,
        JSON.stringify(`file:///gantry/${name}`),
      );
      return { contents, loader: 'ts' };
    });
    // Of it only the version is read: a change of a script or a tool is no change of the product.
    build.onLoad({ filter: /[\\/]package\.json$/ }, ({ path }) => {
      if (path !== join(root, 'package.json')) return null;
      const { version } = JSON.parse(readFileSync(path, 'utf8')) as { version: string };
      return { contents: JSON.stringify({ version }), loader: 'json' };
    });
  },
};

const options = {
  absWorkingDir: root,
  bundle: true,
  write: false,
  platform: 'node',
  target: 'node24',
  // The main script of a single executable is CommonJS.
  format: 'cjs',
  define: { 'import.meta.url': '"file:///gantry/package.js"' },
  plugins: [ownUrls],
  // They come as a file of their own.
  legalComments: 'none',
  // Names stay, for those who read a stack. Without them V8 also compiles every module at its start: 18 MB.
  minifyWhitespace: true,
  minifySyntax: true,

  logLevel: 'warning',
  metafile: true,
} as const satisfies BuildOptions;

/** One script with all it imports. @param entry path in the checkout */
async function bundle(entry: string): Promise<Uint8Array> {
  const { outputFiles, metafile } = await runEsbuild({ ...options, entryPoints: [entry] });
  const [script] = outputFiles;
  if (script === undefined) throw new Error(`esbuild made nothing of ${entry}`);
  requireListed(Object.keys(metafile.inputs));
  return script.contents;
}

/** What is put in must be in the list of what is inside. */
function requireListed(inputs: readonly string[]): void {
  const listed = new Set(runTimePackages('x64').packages.map(({ path }) => path));
  for (const input of inputs) {
    const path = /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input)?.[0];
    if (path !== undefined && !listed.has(path)) throw new Error(`${input} is of no run-time package`);
  }
}

/** What the executable holds. The page must have been built. */
export async function bundleContents(): Promise<Contents> {
  const assets = new Map<string, Uint8Array>();
  for (const name of [...threads, ...modules]) assets.set(name, await bundle(name));
  for (const name of listPage()) assets.set(name, readFileSync(join(root, name)));
  const { resolve } = createRequire(join(root, 'package.json'));
  for (const name of packageFiles) assets.set(name, readFileSync(resolve(name)));
  return { main: await bundle('src/main.ts'), assets };
}

function listPage(): string[] {
  const folder = 'web-ui/dist/client';
  const files = readdirSync(join(root, folder), { recursive: true, withFileTypes: true });
  return files
    .filter((file) => file.isFile())
    .map((file) => relative(root, join(file.parentPath, file.name)))
    .toSorted();
}
