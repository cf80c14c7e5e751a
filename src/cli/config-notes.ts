import { open } from 'node:fs/promises';
import { systemErrorCode } from '../base/errors.ts';
import type { Config } from '../config/schema.ts';
import { profileNotes } from './profile-notes.ts';

/**
 * What a valid configuration may still suffer from on this machine: files it names that cannot be read, and
 * sign-ins that travel unencrypted. One sentence or two each.
 */
export async function configNotes(config: Config): Promise<string[]> {
  const notes: string[] = [];
  const files = [
    ...namedFiles('destinations', config.destinations),
    ...namedFiles('intake.tls', config.intake.tls),
  ];
  for (const { setting, path } of files) {
    const failure = await readFailure(path);
    if (failure !== null) notes.push(`${setting}: the file cannot be read by this user (${failure}).`);
  }
  for (const [name, destination] of Object.entries(config.destinations)) {
    if (
      destination.type === 'stow' &&
      destination.url.startsWith('http:') &&
      destination.auth.type !== 'none'
    ) {
      notes.push(
        `destinations.${name}.url is plain http: the sign-in and the images travel unencrypted. Use https, unless the network is protected.`,
      );
    }
  }
  return [...notes, ...profileNotes(config)];
}

interface NamedFile {
  /** As a person would say it, e.g. `destinations.cloud.auth.tokenFile`. */
  readonly setting: string;
  readonly path: string;
}

/** The files below a part of the document: every setting whose name ends in "File". */
function namedFiles(setting: string, value: unknown): NamedFile[] {
  if (typeof value === 'string') return setting.endsWith('File') ? [{ setting, path: value }] : [];
  if (value === null || typeof value !== 'object') return [];
  return Object.entries(value).flatMap(([key, part]) => namedFiles(`${setting}.${key}`, part));
}

/** @returns the system's code where the file cannot be read, else null */
async function readFailure(path: string): Promise<string | null> {
  try {
    await using file = await open(path, 'r');
    await file.read(Buffer.alloc(1), 0, 1, 0);
    return null;
  } catch (error) {
    return systemErrorCode(error) ?? 'unknown cause';
  }
}
