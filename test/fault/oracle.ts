import { createHash } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { StatusReport } from '../../src/health/status.ts';
import { type OpenedKeystore, openKeystore, openObject } from '../fixtures/independent-decryptor.ts';
import { readDataSet, readPart10Head } from '../fixtures/send-files.ts';
import { type Place, type StoredBytes, storedObjects } from '../fixtures/stored-objects.ts';
import { receivedAgain } from './received-again.ts';

interface Named {
  readonly SOPInstanceUID: string;
  readonly dataSet: Buffer;
}

/** What the judge found. Every list names instances by UID, or objects by id; all have to be empty. */
export interface Judgement {
  /** Answered 0000, and in neither place with these bytes. */
  readonly lost: string[];
  /** In a place with bytes that nobody ever sent under this UID. */
  readonly altered: string[];
  /** Objects that can be seen and do not open to their end. */
  readonly half: string[];
  /** The same UID more than once at the archive, or the same bytes in the same transfer syntax more than once in the spool. */
  readonly twice: string[];
  /** Answered 0000, and no version of it at the archive. */
  readonly undelivered: string[];
  /** At the archive are other bytes, and these, answered 0000, are not in the spool as a conflict. */
  readonly conflictsNotParked: string[];
}

export const spotless: Judgement = {
  lost: [],
  altered: [],
  half: [],
  twice: [],
  undelivered: [],
  conflictsNotParked: [],
};

/** The same, for a moment at which not all has been delivered. */
export const safe = { lost: [], altered: [], half: [], twice: [] } satisfies Partial<Judgement>;

interface Kept {
  /** Where its bytes are. */
  readonly places: readonly Pick<Place, 'path'>[];
  readonly uid: string;
  /** Transfer syntax. The same image in another is another object. */
  readonly syntax: string;
  readonly dataSet: Buffer;
  readonly digest: string;
  readonly conflict: boolean;
}

/**
 * Remembers what senders sent and what they were told is safe, and judges what is left on the two disks: the
 * spool by FORMAT.md alone, the archive by its own files. Whatever was answered 0000 has to be in one of them,
 * byte for byte, or so that it comes out byte for byte once decompressed.
 */
export class Oracle {
  readonly #offered = new Map<string, Set<string>>();
  readonly #acknowledged = new Map<string, Set<string>>();
  /** When each content was first answered 0000, in milliseconds since the epoch. */
  readonly #answeredAt = new Map<string, number>();
  /** How often 0000 was seen, duplicates included. */
  acknowledgements = 0;
  /** Contents taken back by {@link withPowerUntil}. */
  answeredWithoutPower = 0;

  /** To be called before the first byte is sent. */
  offered({ SOPInstanceUID, dataSet }: Named): void {
    add(this.#offered, SOPInstanceUID, sha256(dataSet));
  }

  /** The sender saw 0000. */
  acknowledged({ SOPInstanceUID, dataSet }: Named): void {
    this.acknowledgements += 1;
    const digest = sha256(dataSet);
    add(this.#acknowledged, SOPInstanceUID, digest);
    const name = nameOf({ uid: SOPInstanceUID, digest });
    if (!this.#answeredAt.has(name)) this.#answeredAt.set(name, Date.now());
  }

  /**
   * A machine without power answers nobody, but the gateway lives on for a moment, and the file system that stands in
   * for the power may call a sync good that it has just cut off: a program that does nothing but write and sync sees
   * the same. What is lost and was first answered after the cut counts as never answered.
   * @param cutAt milliseconds since the epoch
   * @returns the judgement without it
   */
  withPowerUntil(cutAt: number, judgement: Judgement): Judgement {
    const unpowered = judgement.lost.filter((name) => (this.#answeredAt.get(name) ?? 0) >= cutAt);
    for (const name of unpowered) {
      const [uid = '', digest = ''] = name.split(' ');
      const digests = this.#acknowledged.get(uid);
      digests?.delete(digest);
      if (digests?.size === 0) this.#acknowledged.delete(uid);
      this.#answeredAt.delete(name);
    }
    this.answeredWithoutPower += unpowered.length;
    return { ...judgement, lost: judgement.lost.filter((name) => !unpowered.includes(name)) };
  }

  /** Whether these very bytes were sent under this UID. */
  wasOffered(uid: string, dataSet: Buffer): boolean {
    return this.#offered.get(uid)?.has(sha256(dataSet)) === true;
  }

  /** Whether nothing waits any more. What was acknowledged last is entered a moment later: until then it waits too. */
  isAllSent({ queue, totals }: Pick<StatusReport, 'queue' | 'totals'>): boolean {
    return queue.instances === 0 && totals.received >= this.contents;
  }

  /** Different contents that were answered 0000. */
  get contents(): number {
    return [...this.#acknowledged.values()].reduce((sum, digests) => sum + digests.size, 0);
  }

  /** Contents answered 0000 beside the first of their UID. */
  get conflicts(): number {
    return this.contents - this.#acknowledged.size;
  }

  /** One that knows the same and goes its own way from here. */
  copy(): Oracle {
    const copy = new Oracle();
    for (const [uid, digests] of this.#offered) copy.#offered.set(uid, new Set(digests));
    for (const [uid, digests] of this.#acknowledged) copy.#acknowledged.set(uid, new Set(digests));
    for (const [name, at] of this.#answeredAt) copy.#answeredAt.set(name, at);
    copy.acknowledgements = this.acknowledgements;
    copy.answeredWithoutPower = this.answeredWithoutPower;
    return copy;
  }

  /** Looks at both disks. The gateway need not be stopped, but nothing may be moving. */
  async judge(places: { dataDirectory: string; archiveDirectory: string | null }): Promise<Judgement> {
    const spool = readSpool(places.dataDirectory);
    spool.kept = await Promise.all(spool.kept.map(asReceived));
    const archive = await Promise.all((await readArchive(places.archiveDirectory)).map(asReceived));
    const everywhere = [...spool.kept, ...archive];
    const found = new Set(everywhere.map(nameOf));
    const parked = new Set(spool.kept.filter(({ conflict }) => conflict).map(nameOf));
    const atArchive = new Map(archive.map(({ uid, digest }) => [uid, digest]));
    const names = [...this.#acknowledged].flatMap(([uid, digests]) =>
      [...digests].map((digest) => ({ uid, digest })),
    );
    return {
      lost: names.map(nameOf).filter((name) => !found.has(name)),
      altered: everywhere
        .filter(({ uid, digest }) => this.#offered.get(uid)?.has(digest) !== true)
        .map(nameOf),
      half: spool.half,
      twice: [
        ...repeated(archive.map(({ uid }) => uid)),
        ...repeated(spool.kept.map((each) => `${nameOf(each)} ${each.syntax}`)),
      ],
      undelivered: [...this.#acknowledged.keys()].filter((uid) => !atArchive.has(uid)),
      conflictsNotParked: names
        .filter(({ uid, digest }) => atArchive.has(uid) && atArchive.get(uid) !== digest)
        .map(nameOf)
        .filter((name) => !parked.has(name)),
    };
  }
}

interface InSpool extends Kept {
  readonly places: readonly Place[];
}

/** Every object that can be seen in the spool, opened to its end. */
export function readSpool(dataDirectory: string): {
  kept: InSpool[];
  half: string[];
} {
  const kept: ReturnType<typeof readSpool>['kept'] = [];
  const half: string[] = [];
  if (!existsSync(join(dataDirectory, 'spool', 'segments'))) return { kept, half };
  const keystore = openKeystore(dataDirectory);
  for (const object of storedObjects(dataDirectory)) {
    try {
      kept.push(openKept(object, keystore));
    } catch (error) {
      half.push(`${object.id}: ${String(error)}`);
    }
  }
  return { kept, half };
}

function openKept({ sealed, places }: StoredBytes, keystore: OpenedKeystore): InSpool {
  const { trailer, body } = openObject(sealed, keystore);
  const digest = sha256(body);
  if (trailer['dataSetSha256'] !== digest) throw new Error('the digest in the trailer is another');
  const syntax = String(trailer['TransferSyntaxUID']);
  return {
    places,
    uid: String(trailer['SOPInstanceUID']),
    syntax,
    dataSet: body,
    digest,
    conflict: trailer['conflict'] === true,
  };
}

/** What the sandbox archive has, from its own files. */
async function readArchive(directory: string | null): Promise<Kept[]> {
  if (directory === null) return [];
  const files = join(directory, 'instances');
  const kept: Kept[] = [];
  for (const name of readdirSync(files)) {
    const path = join(files, name);
    const { SOPInstanceUID: uid, TransferSyntaxUID: syntax } = await readPart10Head(path);
    const dataSet = await readDataSet(path);
    kept.push({ places: [{ path }], uid, syntax, dataSet, digest: sha256(dataSet), conflict: false });
  }
  return kept;
}

/** What does not come out as an image keeps the digest it has, which nobody ever sent. */
async function asReceived<T extends Kept>(kept: T): Promise<T> {
  const { syntax, dataSet } = kept;
  const received = await receivedAgain(syntax, dataSet).catch(() => dataSet);
  return received === dataSet ? kept : { ...kept, digest: sha256(received) };
}

function nameOf({ uid, digest }: Pick<Kept, 'uid' | 'digest'>): string {
  return `${uid} ${digest}`;
}

function repeated(names: readonly string[]): string[] {
  const seen = new Set<string>();
  return names.filter((name) => seen.size === seen.add(name).size);
}

function add(map: Map<string, Set<string>>, key: string, value: string): void {
  const values = map.get(key);
  if (values === undefined) map.set(key, new Set([value]));
  else values.add(value);
}

export function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
