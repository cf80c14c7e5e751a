import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { GantryError, systemErrorCode } from '../base/errors.ts';
import { type DesiredConfig, desiredConfig } from '../config/remote/documents.ts';
import { sealMark } from '../crypto/seal-to.ts';
import { canonicalText, type Content, sha256Hex } from './desk.ts';

/** So many generations of a box can be gone back to. */
export const generationsKept = 8;

const generationsFile = z.strictObject({
  device: z.string(),
  /** Content that was taken back: it is not given again until the layers say something else. */
  withdrawn: z.string().nullable(),
  /** Exactly as rendered, the newest first. */
  documents: z.array(desiredConfig).max(generationsKept),
});
export type Generations = z.output<typeof generationsFile>;

/** SHA-256 over what a document makes a box do: the same for two generations of the same content. */
export function contentHash({ schemaVersion, config, clearOverrides, seals }: Content): string {
  const content = [schemaVersion, config, clearOverrides];
  return sha256Hex(canonicalText(Object.keys(seals).length === 0 ? content : [...content, seals]));
}

/** The same of a document that was made. */
export function documentHash(document: DesiredConfig): string {
  const { clearOverrides = [] } = document;
  return contentHash({ ...document, clearOverrides, seals: sealsIn(document) });
}

/** Of each secret that a document brings: which revision, to which key. */
export function sealsIn({ sealed }: DesiredConfig): Content['seals'] {
  return Object.fromEntries(Object.entries(sealed).map(([name, text]) => [name, sealMark(text)]));
}

/**
 * What each box was given, kept in the git folder (`generations/DEVICE.json`): the same generation is the same
 * bytes for ever, and a generation can be brought back.
 */
export class GenerationStore {
  readonly #directory: string;

  constructor(fleetDirectory: string) {
    this.#directory = join(fleetDirectory, 'generations');
  }

  /** @throws GantryError FLEET_GENERATIONS_DAMAGED */
  async read(device: string): Promise<Generations> {
    const path = this.#path(device);
    let text: string;
    try {
      text = await readFile(path, 'utf8');
    } catch (cause) {
      if (systemErrorCode(cause) === 'ENOENT') return { device, withdrawn: null, documents: [] };
      throw damaged(device, cause);
    }
    try {
      const generations = generationsFile.parse(JSON.parse(text));
      if (generations.device === device) return generations;
    } catch (cause) {
      throw damaged(device, cause);
    }
    throw damaged(device);
  }

  async write(generations: Generations): Promise<void> {
    await writeWhole(this.#path(generations.device), `${JSON.stringify(generations, null, 1)}\n`);
  }

  #path(device: string): string {
    return join(this.#directory, `${device}.json`);
  }
}

/** The generations with a new document before them. */
export function withDocument(
  before: Generations,
  document: DesiredConfig,
  withdrawn: string | null,
): Generations {
  const documents = [document, ...before.documents].slice(0, generationsKept);
  return { device: before.device, withdrawn, documents };
}

/** Writes a file that is there whole or not at all. */
export async function writeWhole(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const draft = `${path}.new`;
  await writeFile(draft, text, { flush: true });
  await rename(draft, path);
}

function damaged(device: string, cause?: unknown): GantryError {
  return new GantryError(
    {
      code: 'FLEET_GENERATIONS_DAMAGED',
      kind: 'permanent',
      message: `What ${device} was given so far cannot be read from generations/${device}.json.`,
      nextStep: 'Bring the file back with git: a box refuses generations that do not rise.',
    },
    { cause },
  );
}
