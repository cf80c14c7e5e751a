import { join } from 'node:path';
import { z } from 'zod';
import { entryName } from '../config/values.ts';
import { fleetFiles, readIfThere, replaceFile } from './files.ts';

/** `secrets.json`, in clear: which secrets there are. A revision is random and tells nothing of the secret. */
const indexFile = z.strictObject({
  kind: z.literal('SecretIndex'),
  revisions: z.record(entryName, z.string()),
});

/**
 * The revision of each secret, without opening any.
 * @returns null where the file is damaged; none at all where there is no such file
 */
export async function readSecretIndex(directory: string): Promise<ReadonlyMap<string, string> | null> {
  const bytes = await readIfThere(join(directory, fleetFiles.secretIndex));
  if (bytes === null) return new Map();
  try {
    return new Map(Object.entries(indexFile.parse(JSON.parse(bytes.toString('utf8'))).revisions));
  } catch {
    return null;
  }
}

export async function writeSecretIndex(
  directory: string,
  revisions: Readonly<Record<string, string>>,
): Promise<void> {
  const text = JSON.stringify({ kind: 'SecretIndex', revisions }, null, 2);
  await replaceFile(join(directory, fleetFiles.secretIndex), `${text}\n`);
}
