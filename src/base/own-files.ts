import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { getAssetKeys, getRawAsset, isSea } from 'node:sea';
import { fileURLToPath } from 'node:url';
import { compileFunction } from 'node:vm';
import { Worker, type WorkerOptions } from 'node:worker_threads';
import { systemErrorCode } from './errors.ts';

/*
 * The files this program consists of: in a checkout they lie on the disk; in the executable made by
 * `npm run package` they are inside it, under the same names ("assets", Node's documentation of single executable
 * applications). There, `import.meta.url` of every module still gives its place in the checkout, and the sources
 * of threads and the page's renderer are bundled into one script each (deploy/package/bundle.ts).
 */

/** Whether this is the executable that needs nothing beside it. */
export const isOneFile: boolean = isSea();

const checkout = new URL('../../', import.meta.url);

/**
 * One of our files.
 * @param file of the checkout: `new URL('…', import.meta.url)`
 * @returns its bytes, not to be written to; null where there is none (a page that was not built)
 */
export function readOwnFile(file: URL): Buffer | null {
  if (isOneFile) return readInside(nameInside(file));
  try {
    return readFileSync(file);
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return null;
    throw error;
  }
}

/** The names of our files in a folder of the checkout; its path ends in a slash. */
export function listOwnFiles(folder: URL): string[] {
  if (!isOneFile) return readdirSync(folder);
  const prefix = nameInside(folder);
  return getAssetKeys()
    .filter((name) => name.startsWith(prefix))
    .map((name) => name.slice(prefix.length));
}

/** A file of a package that is run with this program. @param specifier as for `import` */
export function readPackageFile(specifier: string): Buffer {
  if (!isOneFile) return readFileSync(createRequire(import.meta.url).resolve(specifier));
  return readInside(specifier) ?? missing(specifier);
}

/** Loads one of our modules whose name is known at run time only: a script of the built page. */
export async function importOwnModule(file: URL): Promise<object> {
  if (!isOneFile) return (await import(file.href)) as object;
  const module = { exports: {} };
  compileFunction(scriptInside(file), ['module'], { filename: nameInside(file) })(module);
  return module.exports;
}

/** Starts one of our modules as a thread. @param file `new URL('./….ts', import.meta.url)` */
export function startOwnThread(file: URL, options: WorkerOptions = {}): Worker {
  if (!isOneFile) return new Worker(file, options);
  return new Worker(scriptInside(file), { ...options, eval: true });
}

function scriptInside(file: URL): string {
  const name = nameInside(file);
  return (readInside(name) ?? missing(name)).toString('utf8');
}

/** By its path in the checkout, e.g. `web-ui/dist/client/manifest.json`. */
function nameInside(file: URL): string {
  return fileURLToPath(file).slice(fileURLToPath(checkout).length);
}

function readInside(name: string): Buffer | null {
  return getAssetKeys().includes(name) ? Buffer.from(getRawAsset(name)) : null;
}

function missing(name: string): never {
  throw new Error(`this executable was built without ${name}`);
}
