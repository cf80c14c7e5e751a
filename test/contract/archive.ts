import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type {
  ArchiveClient,
  InstanceRef,
  RetrieveAnswer,
  StoreAnswer,
  StoreItem,
} from '../../src/archive/port.ts';
import { part10Header } from '../../src/dicom/part10.ts';
import type { SOPInstanceUID } from '../../src/dicom/uid.ts';
import { ctSlice, type MadeInstance, newUid } from '../fixtures/dicom-objects.ts';

export interface ArchiveUnderTest {
  readonly client: ArchiveClient;
  stop(): Promise<void>;
}

/** Where archives differ and are all within the standard, or are known to be outside of it. */
export interface ArchiveExpectations {
  /**
   * Other bytes under a UID it has: `refused` per instance, or `answers-stored` though it keeps the old ones
   * (Orthanc): the reason why such instances need the digest before they may be purged.
   */
  readonly otherBytes: 'refused' | 'answers-stored' | 'replaces';
  /** What can be asked of it at all. Nothing: only its answers to store requests are looked at. */
  readonly readBack?: 'everything' | 'nothing';
  /** Whether it finds an instance whose study or series the asker does not know. */
  readonly partialReferences?: 'found' | 'unsupported' | 'found where named by the rest';
  /** Whether it can say which studies it has. */
  readonly studies?: 'known' | 'unsupported';
  /** Whether a request is stored as a whole, or what came before its failure stays. */
  readonly stores?: 'requests' | 'instances';
  /** What it refuses in a batch whose others it takes. */
  readonly refuses?: 'what is not DICOM' | 'other bytes' | 'an unknown transfer syntax';
}

const standard = {
  readBack: 'everything',
  partialReferences: 'found',
  studies: 'known',
  stores: 'requests',
  refuses: 'what is not DICOM',
} as const;

const never = new AbortController().signal;
/** Larger than every socket buffer on the way, so that an abort comes while the body is under way. */
const largeRows = 3200;

/**
 * What every archive client, talking to its archive, must do.
 * @param makeArchive called once; null where the archive is not installed here
 */
export function archiveContract(
  name: string,
  makeArchive: () => Promise<ArchiveUnderTest | null>,
  declared: ArchiveExpectations,
): void {
  const expectations: Required<ArchiveExpectations> = { ...standard, ...declared };
  describe(`archive contract: ${name}`, () => {
    let archive: ArchiveUnderTest | null = null;
    beforeAll(async () => {
      archive = await makeArchive();
    });
    afterAll(() => archive?.stop());

    /** A test that is skipped, visibly, where there is no archive. */
    const it = (title: string, body: (client: ArchiveClient) => Promise<void>): void => {
      test(title, async (context) => {
        if (archive === null) return context.skip(`${name} is not installed`);
        return body(archive.client);
      });
    };
    /** One that has to read back. */
    const itShows: typeof it = (title, body) => {
      if (expectations.readBack === 'everything') it(title, body);
    };

    /** That it is there, or is not; where nothing can be asked, that it says so. */
    const expectFound = async (
      client: ArchiveClient,
      ref: InstanceRef,
      kind: 'present' | 'absent',
    ): Promise<void> => {
      const answer = await client.find(ref, never);
      if (expectations.readBack === 'everything') expect(answer).toEqual({ kind });
      else expect(answer).toMatchObject({ kind: 'failed', why: 'unsupported' });
    };

    it('answers the question whether it is there', async (client) => {
      const answer = await client.ping(never);
      expect(answer).toMatchObject({ kind: 'answered', retryAfterMs: null });
      // Empty archives may answer 204.
      expect([200, 204]).toContain(answer.kind === 'answered' ? answer.status : answer.code);
      expect(client.line().answeredAt).not.toBeNull();
      const aborted = AbortSignal.abort();
      expect(await client.ping(aborted)).toEqual({ kind: 'failed', code: 'ABORTED' });
    });

    it('stores one instance and shows it', async (client) => {
      const made = smallSlice();
      expect(stored(await client.store([itemOf(made)], never))).toEqual([made.SOPInstanceUID]);
      await expectFound(client, made, 'present');
      expect(client.line().bytesSent).toBeGreaterThan(made.dataSet.length);
    });

    it('stores a batch of one study', async (client) => {
      const studyUID = newUid();
      const batch = Array.from({ length: 12 }, (_, index) => smallSlice({ studyUID, seed: index }));
      const answer = await client.store(batch.map(itemOf), never);
      expect(stored(answer).toSorted()).toEqual(batch.map((made) => made.SOPInstanceUID).toSorted());
      for (const made of batch) await expectFound(client, made, 'present');
    });

    it('confirms the same bytes sent again', async (client) => {
      const made = smallSlice();
      await client.store([itemOf(made)], never);
      expect(stored(await client.store([itemOf(made)], never))).toEqual([made.SOPInstanceUID]);
    });

    it('holds one of two under a UID, and answers as it is known to', async (client) => {
      const instanceUID = newUid();
      const studyUID = newUid();
      const seriesUID = newUid();
      const first = smallSlice({ instanceUID, studyUID, seriesUID, seed: 1 });
      const other = smallSlice({ instanceUID, studyUID, seriesUID, seed: 2 });
      await client.store([itemOf(first)], never);
      const answer = await client.store([itemOf(other)], never);
      if (expectations.otherBytes === 'refused') {
        expect(stored(answer)).toEqual([]);
        expect(failedIn(answer)).toEqual([instanceUID]);
      } else {
        expect(stored(answer)).toEqual([instanceUID]);
      }
      if (expectations.readBack === 'nothing') return;
      const kept = expectations.otherBytes === 'replaces' ? other : first;
      expect(await retrievedDigest(await client.retrieve(first, never))).toBe(digestOf(kept.dataSet));
    });

    it('says of each instance of a mixed batch what became of it', async (client) => {
      const [good, last] = [smallSlice(), smallSlice()];
      const bad = await badItem(client, expectations.refuses);
      const answer = await client.store([itemOf(good), bad, itemOf(last)], never);
      expect(stored(answer)).toEqual([good.SOPInstanceUID, last.SOPInstanceUID]);
      await expectFound(client, good, 'present');
      await expectFound(client, last, 'present');
    });

    itShows('does not find what it never got, wherever the question starts', async (client) => {
      const known = smallSlice();
      await client.store([itemOf(known)], never);
      const stranger: InstanceRef = { ...known, SOPInstanceUID: newUid() as SOPInstanceUID };
      expect(await client.find(stranger, never)).toEqual({ kind: 'absent' });
      expect(await client.find(smallSlice(), never)).toEqual({ kind: 'absent' });
      if (expectations.partialReferences === 'unsupported') return;
      expect(await client.find({ ...stranger, SeriesInstanceUID: null }, never)).toEqual({ kind: 'absent' });
      expect(
        await client.find({ ...stranger, StudyInstanceUID: null, SeriesInstanceUID: null }, never),
      ).toEqual({ kind: 'absent' });
    });

    it('knows the studies it has, and no others', async (client) => {
      const made = smallSlice();
      if (expectations.studies === 'unsupported' || expectations.readBack === 'nothing') {
        expect(await client.knowsStudy(made.StudyInstanceUID, never)).toMatchObject({ why: 'unsupported' });
        return;
      }
      expect(await client.knowsStudy(made.StudyInstanceUID, never)).toEqual({ kind: 'absent' });
      await client.store([itemOf(made)], never);
      expect(await client.knowsStudy(made.StudyInstanceUID, never)).toEqual({ kind: 'present' });
      expect(await client.knowsStudy(newUid() as never, never)).toEqual({ kind: 'absent' });
    });

    itShows('shows an instance whose study or series the asker does not know', async (client) => {
      const made = smallSlice();
      await client.store([itemOf(made)], never);
      const partly: InstanceRef = { ...made, SeriesInstanceUID: null };
      const bare: InstanceRef = { ...made, StudyInstanceUID: null, SeriesInstanceUID: null };
      if (expectations.partialReferences === 'found where named by the rest') return;
      for (const ref of [partly, bare]) {
        if (expectations.partialReferences === 'unsupported') {
          const unsupported = { kind: 'failed', why: 'unsupported' };
          expect(await client.find(ref, never)).toMatchObject(unsupported);
          expect(await client.metadata(ref, never)).toMatchObject(unsupported);
          expect(await client.retrieve(ref, never)).toMatchObject(unsupported);
          continue;
        }
        expect(await client.find(ref, never)).toEqual({ kind: 'present' });
        expect((await client.metadata(ref, never)).kind).toBe('present');
        expect(await retrievedDigest(await client.retrieve(ref, never))).toBe(digestOf(made.dataSet));
      }
    });

    itShows('gives the metadata that a proof compares', async (client) => {
      const made = smallSlice();
      await client.store([itemOf(made)], never);
      const answer = await client.metadata(made, never);
      if (answer.kind !== 'present') throw new Error(`metadata: ${answer.kind}`);
      const { facts } = answer;
      expect(facts.SOPClassUID).toBe(made.SOPClassUID);
      expect(facts.SOPInstanceUID).toBe(made.SOPInstanceUID);
      expect(facts.StudyInstanceUID).toBe(made.StudyInstanceUID);
      expect(facts.SeriesInstanceUID).toBe(made.SeriesInstanceUID);
      expect([null, made.TransferSyntaxUID]).toContain(facts.TransferSyntaxUID);
      expect(facts.image).toMatchObject({ Rows: 32, Columns: 32, BitsAllocated: 16 });
      expect(facts.image.NumberOfFrames ?? 1).toBe(1);
    });

    itShows('gives the metadata of a whole series as of each instance, where it can', async (client) => {
      const first = smallSlice();
      const { StudyInstanceUID: studyUID, SeriesInstanceUID: seriesUID } = first;
      const made = [first, ctSlice({ rows: 32, columns: 32, seed: 2, studyUID, seriesUID })];
      const elsewhere = ctSlice({ rows: 32, columns: 32, seed: 3, studyUID });
      await client.store([...made, elsewhere].map(itemOf), never);
      if (client.seriesMetadata === undefined) return;
      const answer = await client.seriesMetadata(first, never);
      if (answer.kind !== 'present') throw new Error(`series metadata: ${answer.kind}`);
      expect([...answer.instances.keys()].toSorted()).toEqual(
        made.map(({ SOPInstanceUID }) => SOPInstanceUID).toSorted(),
      );
      for (const each of made) {
        const facts = answer.instances.get(each.SOPInstanceUID);
        expect(await client.metadata(each, never)).toEqual({ kind: 'present', facts });
      }
    });

    itShows('has no metadata of an absent instance', async (client) => {
      expect(await client.metadata(smallSlice(), never)).toEqual({ kind: 'absent' });
    });

    for (const encoding of ['explicit-le', 'implicit-le'] as const) {
      itShows(`gives back the data set byte for byte (${encoding})`, async (client) => {
        const made = ctSlice({ rows: 128, columns: 128, seed: 5, encoding });
        await client.store([itemOf(made)], never);
        const answer = await client.retrieve(made, never);
        expect(answer).toMatchObject({ kind: 'present', TransferSyntaxUID: made.TransferSyntaxUID });
        expect(await retrievedDigest(answer)).toBe(digestOf(made.dataSet));
      });
    }

    itShows('has no instance to give where it never got one', async (client) => {
      expect(await client.retrieve(smallSlice(), never)).toEqual({ kind: 'absent' });
    });

    itShows('lets a retrieval be cancelled and goes on', async (client) => {
      const made = ctSlice({ rows: 1024, columns: 1024, seed: 6 });
      await client.store([itemOf(made)], never);
      const answer = await client.retrieve(made, never);
      if (answer.kind !== 'present') throw new Error(`retrieve: ${answer.kind}`);
      answer.cancel();
      expect(await retrievedDigest(await client.retrieve(made, never))).toBe(digestOf(made.dataSet));
    });

    it('stores and gives back 20 MB', async (client) => {
      const made = ctSlice({ rows: largeRows, columns: largeRows, seed: 7 });
      expect(made.dataSet.length).toBeGreaterThan(20_000_000);
      expect(stored(await client.store([itemOf(made)], never))).toEqual([made.SOPInstanceUID]);
      if (expectations.readBack === 'nothing') return;
      expect(await retrievedDigest(await client.retrieve(made, never))).toBe(digestOf(made.dataSet));
    });

    it('keeps nothing of a request that is aborted half-way', async (client) => {
      const made = ctSlice({ rows: largeRows, columns: largeRows, seed: 8 });
      const abort = new AbortController();
      const item = itemOf(made);
      const content = async function* (): AsyncGenerator<Buffer> {
        let sent = 0;
        for await (const chunk of item.content()) {
          yield chunk;
          sent += chunk.length;
          if (sent > item.bytes / 2) abort.abort();
        }
      };
      const answer = await client.store([{ ...item, content }], abort.signal);
      expect(answer).toMatchObject({ kind: 'failed', phase: 'partial' });
      await expectFound(client, made, 'absent');
    });

    it('keeps nothing of a request whose source fails', async (client) => {
      const good = smallSlice();
      const unlucky = ctSlice({ rows: 512, columns: 512, seed: 9 });
      const broken = itemOf(unlucky);
      const content = async function* (): AsyncGenerator<Buffer> {
        yield (await file(broken)).subarray(0, 200_000);
        throw new Error('damaged');
      };
      const answer = await client.store([itemOf(good), { ...broken, content }], never);
      expect(answer).toMatchObject({ kind: 'source-failed', error: { message: 'damaged' } });
      await expectFound(client, good, expectations.stores === 'requests' ? 'absent' : 'present');
      await expectFound(client, unlucky, 'absent');
      // What broke off does not hold up what follows.
      expect(stored(await client.store([itemOf(good)], never))).toEqual([good.SOPInstanceUID]);
    });

    it('takes an object shorter or longer than announced for a failed source', async (client) => {
      for (const difference of [-2, 2]) {
        const made = smallSlice();
        const item = itemOf(made);
        const answer = await client.store([{ ...item, bytes: item.bytes + difference }], never);
        expect(answer.kind).toBe('source-failed');
        await expectFound(client, made, 'absent');
      }
    });
  });
}

function smallSlice(options: Partial<Parameters<typeof ctSlice>[0]> = {}): MadeInstance {
  return ctSlice({ rows: 32, columns: 32, seed: 3, ...options });
}

/** The instance as the gateway sends it: a Part 10 file in pieces. */
export function itemOf(made: MadeInstance): StoreItem {
  const header = part10Header(made);
  const whole = Buffer.concat([header, made.dataSet]);
  return {
    SOPClassUID: made.SOPClassUID,
    TransferSyntaxUID: made.TransferSyntaxUID,
    StudyInstanceUID: made.StudyInstanceUID,
    SeriesInstanceUID: made.SeriesInstanceUID,
    SOPInstanceUID: made.SOPInstanceUID,
    bytes: whole.length,
    content: async function* () {
      for (let at = 0; at < whole.length; at += 65_536) yield whole.subarray(at, at + 65_536);
    },
  };
}

/** An item that the archive refuses, for the reason declared for it. */
async function badItem(
  client: ArchiveClient,
  refuses: Required<ArchiveExpectations>['refuses'],
): Promise<StoreItem> {
  const first = smallSlice();
  if (refuses === 'what is not DICOM') {
    return { ...itemOf(first), bytes: 600, content: once(Buffer.alloc(600, 0x41)) };
  }
  if (refuses === 'an unknown transfer syntax') {
    return { ...itemOf(first), TransferSyntaxUID: '2.25.4711' as StoreItem['TransferSyntaxUID'] };
  }
  await client.store([itemOf(first)], never);
  const { StudyInstanceUID: studyUID, SeriesInstanceUID: seriesUID, SOPInstanceUID: instanceUID } = first;
  return itemOf(smallSlice({ studyUID, seriesUID, instanceUID, seed: 4 }));
}

function once(bytes: Buffer): () => AsyncGenerator<Buffer> {
  return async function* () {
    yield bytes;
  };
}

async function file(item: StoreItem): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of item.content()) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function stored(answer: StoreAnswer): string[] {
  if (answer.kind !== 'answered') throw new Error(`store: ${JSON.stringify(answer)}`);
  return answer.referenced.map(({ SOPInstanceUID: uid }) => uid);
}

function failedIn(answer: StoreAnswer): string[] {
  return answer.kind === 'answered' ? answer.failed.map(({ SOPInstanceUID: uid }) => uid) : [];
}

function digestOf(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

async function retrievedDigest(answer: RetrieveAnswer): Promise<string> {
  if (answer.kind !== 'present') throw new Error(`retrieve: ${JSON.stringify(answer)}`);
  const hash = createHash('sha256');
  for await (const chunk of answer.dataSet()) hash.update(chunk);
  return hash.digest('hex');
}
