import type { ArchiveClient, StoreAnswer, StoreItem } from '../archive/port.ts';
import { part10Header } from '../dicom/part10.ts';
import { type ObjectReadFailure, objectReadFailure } from '../spool/read-failure.ts';
import type { ForwardItem, ObjectFacts, ObjectId, SpoolForward } from '../spool/types.ts';

/** A delivery whose object was opened far enough to know what it is. */
export interface ReadyItem {
  readonly item: ForwardItem;
  readonly facts: ObjectFacts;
}

/** A delivery whose object could not be read here. */
export interface UnreadItem extends ObjectReadFailure {
  readonly item: ForwardItem;
}

export interface ReadyBatch {
  readonly ready: ReadyItem[];
  readonly unread: UnreadItem[];
  /** Same SOP Instance UID as an earlier one of the batch: its turn comes in a request of its own. */
  readonly repeated: ForwardItem[];
}

/** Reads the facts of a batch; the data sets are opened one by one when their turn comes. */
export async function readyBatch(
  spool: Pick<SpoolForward, 'open'>,
  items: readonly ForwardItem[],
): Promise<ReadyBatch> {
  const batch: ReadyBatch = { ready: [], unread: [], repeated: [] };
  const seen = new Set<string>();
  for (const item of items) {
    try {
      await using object = await spool.open(item.sentId);
      const { facts } = object;
      if (seen.has(facts.SOPInstanceUID)) batch.repeated.push(item);
      else batch.ready.push({ item, facts });
      seen.add(facts.SOPInstanceUID);
    } catch (error) {
      batch.unread.push({ item, ...objectReadFailure(error) });
    }
  }
  return batch;
}

export interface AskedBatch {
  readonly present: ReadyItem[];
  readonly toSend: ReadyItem[];
}

/** Questions to the archive side by side. */
const askedParallel = 4;

/**
 * Asks the archive for those whose last outcome stayed unknown, so that what arrived is not sent again. Where it
 * does not answer the question, or does not have the instance, identical bytes are sent: that is safe as well.
 */
export async function askForUnknown(
  client: Pick<ArchiveClient, 'find'>,
  ready: readonly ReadyItem[],
  signal: AbortSignal,
): Promise<AskedBatch> {
  const present = new Set<ReadyItem>();
  const unknown = ready.filter(({ item }) => item.unknowns > 0);
  for (let at = 0; at < unknown.length; at += askedParallel) {
    const asked = unknown.slice(at, at + askedParallel);
    const answers = await Promise.all(asked.map(({ facts }) => client.find(facts, signal)));
    asked.forEach((each, index) => {
      if (answers[index]?.kind === 'present') present.add(each);
    });
    if (answers.some(({ kind }) => kind === 'failed')) break;
  }
  return { present: [...present], toSend: ready.filter((each) => !present.has(each)) };
}

export interface SentBatch {
  readonly answer: StoreAnswer;
  /** The instance of ours that could not be read to its end, where that is what ended the request. */
  readonly unread: UnreadItem | null;
}

/**
 * Sends complete Part 10 files in one STOW-RS request.
 * @param mayEnd the last piece of the request waits for this
 */
export async function sendBatch(
  client: Pick<ArchiveClient, 'store'>,
  spool: Pick<SpoolForward, 'open'>,
  batch: readonly ReadyItem[],
  mayEnd: () => Promise<void>,
  signal: AbortSignal,
): Promise<SentBatch> {
  let unread: UnreadItem | null = null;
  const storeItems = batch.map((each) =>
    storeItem(spool, each, (error) => {
      unread ??= { item: each.item, ...objectReadFailure(error) };
    }),
  );
  const last = storeItems.at(-1);
  const items =
    last === undefined
      ? []
      : [...storeItems.slice(0, -1), { ...last, content: () => endWaits(last.content(), mayEnd) }];
  const answer = await client.store(items, signal);
  return { answer, unread };
}

async function* endWaits(
  content: AsyncIterable<Buffer>,
  mayEnd: () => Promise<void>,
): AsyncGenerator<Buffer> {
  let held: Buffer | null = null;
  for await (const piece of content) {
    if (held !== null) yield held;
    held = piece;
  }
  await mayEnd();
  if (held !== null) yield held;
}

function storeItem(
  spool: Pick<SpoolForward, 'open'>,
  { item, facts }: ReadyItem,
  failed: (error: unknown) => void,
): StoreItem {
  const header = part10Header(facts);
  return {
    SOPClassUID: facts.SOPClassUID,
    TransferSyntaxUID: facts.TransferSyntaxUID,
    StudyInstanceUID: facts.StudyInstanceUID,
    SeriesInstanceUID: facts.SeriesInstanceUID,
    SOPInstanceUID: facts.SOPInstanceUID,
    Modality: facts.Modality,
    callingAeTitle: facts.callingAeTitle,
    receivedAt: facts.receivedAt,
    bytes: header.length + facts.dataSetBytes,
    async *content() {
      yield header;
      const dataSet = verifiedDataSet(spool, item.sentId);
      try {
        for (;;) {
          // Only our own side is watched: a stream that is torn down throws its error into this generator too.
          const next = await dataSet.next().catch((error: unknown) => {
            failed(error);
            throw error;
          });
          if (next.done === true) return;
          yield next.value;
        }
      } finally {
        await dataSet.return(undefined);
      }
    },
  };
}

async function* verifiedDataSet(
  spool: Pick<SpoolForward, 'open'>,
  objectId: ObjectId,
): AsyncGenerator<Buffer> {
  await using object = await spool.open(objectId);
  yield* object.dataSet();
}
