import { createHash } from 'node:crypto';
import type { QueueEntry } from '../../src/spool/types.ts';
import { openKeystore, openObject } from '../fixtures/independent-decryptor.ts';
import { storedObjects } from '../fixtures/stored-objects.ts';
import type { CorpusFile } from './corpus-files.ts';
import { gantry } from './peers.ts';

/** A file that was sent, and what the sender was told. */
export interface SentFile {
  readonly file: CorpusFile;
  readonly status: number;
  readonly comment: string;
}

/** What became of a file. `duplicate`: the same bytes were sent before, under another name. */
export interface Fate {
  readonly name: string;
  readonly fate:
    | 'verified'
    | 'duplicate'
    | 'conflict'
    | 'quarantined'
    | 'held'
    | 'refused'
    | 'under way'
    | 'missing';
  readonly why: string;
  readonly SOPInstanceUID: string;
  /** Of the data set as it was sealed; null where nothing was. */
  readonly sealedSha256: string | null;
  /** Of the data set in the file. */
  readonly fileSha256: string;
}

interface Sealed {
  readonly objectId: string;
  readonly SOPInstanceUID: string;
  readonly sha256: string;
}

/** Every sealed object, in order of arrival, opened by FORMAT.md alone. */
function sealedObjects(dataDirectory: string): Sealed[] {
  const keystore = openKeystore(dataDirectory);
  return storedObjects(dataDirectory).map(({ id, sealed }) => {
    const { trailer, body } = openObject(sealed, keystore);
    const sha256 = createHash('sha256').update(body).digest('hex');
    if (sha256 !== trailer['dataSetSha256'])
      throw new Error('a trailer names another digest than its body has');
    return { objectId: id, SOPInstanceUID: String(trailer['SOPInstanceUID']), sha256 };
  });
}

export async function queueEntries(dataDirectory: string, ...options: string[]): Promise<QueueEntry[]> {
  const { code, stdout, stderr } = await gantry('queue', 'ls', '--data', dataDirectory, '--json', ...options);
  if (code !== 0) throw new Error(`queue ls ended with ${code}: ${stderr}`);
  return JSON.parse(stdout) as QueueEntry[];
}

/** Accounts for every file by its name: nothing that was answered 0000 may be without a fate. */
export async function fatesOf(sent: readonly SentFile[], dataDirectory: string): Promise<Fate[]> {
  const unclaimed = sealedObjects(dataDirectory);
  const entries = await queueEntries(dataDirectory, '--limit', '1000');
  const stored: CorpusFile[] = [];
  return sent.map(({ file, status, comment }): Fate => {
    const facts = {
      name: file.name,
      SOPInstanceUID: file.head.SOPInstanceUID,
      fileSha256: file.dataSetSha256,
    };
    if (status !== 0) {
      const why = `${status.toString(16).toUpperCase().padStart(4, '0')} ${comment}`.trim();
      return { ...facts, fate: 'refused', why, sealedSha256: null };
    }
    const twin = stored.find((one) => one.dataSetSha256 === file.dataSetSha256);
    stored.push(file);
    if (twin !== undefined)
      return { ...facts, fate: 'duplicate', why: `of ${twin.name}`, sealedSha256: null };
    const at = unclaimed.findIndex(({ SOPInstanceUID }) => SOPInstanceUID === file.head.SOPInstanceUID);
    const [sealed] = at < 0 ? [] : unclaimed.splice(at, 1);
    const entry = entries.find(({ objectId }) => objectId === sealed?.objectId);
    if (sealed === undefined || entry === undefined) {
      return { ...facts, fate: 'missing', why: 'no object, or none in the ledger', sealedSha256: null };
    }
    const { state, reason } = entry;
    const fate = ['queued', 'delivered', 'accepted'].includes(state) ? 'under way' : (state as Fate['fate']);
    return { ...facts, fate, why: reason?.code ?? '', sealedSha256: sealed.sha256 };
  });
}
