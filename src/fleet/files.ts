import { mkdir, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { systemErrorCode } from '../base/errors.ts';

/**
 * Files of central IT beside its documents. In the git folder: `trust.jws` (the chain, oldest first), while one is
 * being signed `trust.next.json` and `trust.next.jws`, `approvals/`, `secrets.age` and its index `secrets.json`;
 * `device-ca.pem`, `device-crl.pem` and `certificates/`. In the folder of rendered documents, for each box: `BOX.json`
 * (bytes to sign), `BOX.jws` (signed), `BOX.freshness.json`, `BOX.certificate.pem`; and `trust.jws`, `timestamp.jws`,
 * `crl.pem`, `retired.json`.
 */
export const fleetFiles = {
  trust: 'trust.jws',
  nextTrust: 'trust.next.json',
  nextTrustSigned: 'trust.next.jws',
  approvals: 'approvals',
  secrets: 'secrets.age',
  secretIndex: 'secrets.json',
  timestamp: 'timestamp.jws',
  authority: 'device-ca.pem',
  revocations: 'device-crl.pem',
  certificates: 'certificates',
  /** In the folder of rendered documents. */
  publishedRevocations: 'crl.pem',
  retired: 'retired.json',
} as const;

/** Not of a box, though named like the file of one. */
const besideBoxes: ReadonlySet<string> = new Set(Object.values(fleetFiles));

/** The content of a file, or null where there is none. */
export async function readIfThere(path: string): Promise<Buffer | null> {
  try {
    return await readFile(path);
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return null;
    throw error;
  }
}

/** Replaces a file as a whole: whoever reads it sees the old or the new one. */
export async function replaceFile(path: string, bytes: string | Uint8Array, mode = 0o644): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const temporary = `${path}.tmp`;
  await rm(temporary, { force: true });
  const file = await open(temporary, 'wx', mode);
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
}

export async function removeFile(path: string): Promise<void> {
  await rm(path, { force: true });
}

/** Names of boxes that have a file `BOX` + ending in a folder, sorted. */
export async function boxesWith(directory: string, ending: string): Promise<string[]> {
  const names = await readdir(directory).catch((error: unknown) => {
    if (systemErrorCode(error) === 'ENOENT') return [];
    throw error;
  });
  return names
    .filter((name) => name.endsWith(ending) && !besideBoxes.has(name))
    .map((name) => name.slice(0, -ending.length))
    .filter((name) => /^[A-Za-z0-9][A-Za-z0-9-]{2,62}$/.test(name))
    .toSorted();
}

export function boxFile(directory: string, box: string, ending: string): string {
  return join(directory, `${box}${ending}`);
}

/** Writes a file that must not exist yet. */
export async function writeNewFile(path: string, text: string, mode: number): Promise<void> {
  await writeFile(path, text, { flag: 'wx', mode });
}
