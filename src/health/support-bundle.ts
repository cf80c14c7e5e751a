import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { systemErrorCode } from '../base/errors.ts';
import { withoutUids } from '../base/log.ts';
import { packTar } from './tar.ts';

/** A file of the support bundle. */
export interface BundlePart {
  readonly name: string;
  /** What is in it, in one sentence: said before it is handed out. */
  readonly about: string;
  readonly content: () => Promise<string> | string;
}

const partBytesMax = 4 * 1024 * 1024;
const folder = 'gantry-support';
const gzipAsync = promisify(gzip);

/** One file with all that helps to help: `.tar.gz`. A part that cannot be gathered says so in its place. */
export async function packBundle(parts: readonly BundlePart[], now: number): Promise<Buffer> {
  const entries = await Promise.all(
    [contentsOf(parts), ...parts].map(async ({ name, content }) => ({
      name: `${folder}/${name}`,
      content: Buffer.from(withoutUids(await gathered(content))).subarray(0, partBytesMax),
    })),
  );
  return gzipAsync(packTar(entries, now));
}

function contentsOf(parts: readonly BundlePart[]): BundlePart {
  const text = parts.map(({ name, about }) => `${name}\n  ${about}\n`).join('');
  const words = 'What is in this file. None of it is about a patient.\n\n';
  return { name: 'CONTENTS.txt', about: '', content: () => words + text };
}

async function gathered(content: BundlePart['content']): Promise<string> {
  try {
    return await content();
  } catch (error) {
    return `This could not be gathered (${systemErrorCode(error) ?? 'INTERNAL'}).\n`;
  }
}

/** JSON for people. */
export function jsonPart(name: string, about: string, value: () => unknown): BundlePart {
  return { name, about, content: async () => `${JSON.stringify(await value(), null, 2)}\n` };
}
