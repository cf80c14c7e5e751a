import { createHash } from 'node:crypto';
import type { InstanceRef, RetrieveAnswer } from '../archive/port.ts';
import type { Reason } from '../base/errors.ts';
import { type PixelDigestResult, pixelDigest } from '../dicom/pixel-digest.ts';
import type { OpenObject, SentForm } from '../spool/types.ts';
import { type Finding, unproven } from './finding.ts';
import { sameIdentity, sameImage } from './policy.ts';
import type { LookClient } from './series-looks.ts';

/** A retrieved data set longer than twice ours plus this is not ours; no more of it is read. */
const slackBytes = 64 * 1024 * 1024;

export interface Subject {
  readonly client: LookClient;
  readonly ref: InstanceRef;
  readonly signal: AbortSignal;
  /** Equal pixel data is not enough: the archive had an instance under this UID before. */
  readonly exact: boolean;
}

/**
 * Compares what the archive gives back with what was received: the whole data set by length and SHA-256 or, where
 * the archive rewrites headers, the UIDs and the pixel data alone.
 * @throws whatever reading our own object throws; never for what the archive does
 */
export async function compareDataSet(object: OpenObject, subject: Subject): Promise<Finding> {
  const { facts } = object;
  const whole = await readRetrieved(subject, async (dataSet) => {
    const hash = createHash('sha256');
    let bytes = 0;
    for await (const chunk of limited(dataSet, facts.dataSetBytes)) {
      hash.update(chunk);
      bytes += chunk.length;
    }
    return bytes === facts.dataSetBytes && hash.digest('hex') === facts.dataSetSha256;
  });
  if (whole.kind !== 'read') return whole.finding;
  if (whole.value) return { kind: 'proven', by: 'digest' };
  if (subject.exact) return existedBefore;
  return comparePixels(object, subject);
}

/**
 * Compares what the archive gives back with a data set we sent and have no more, by length and keyed digest.
 * @returns null where it is another one
 */
export async function compareSent(
  sent: SentForm,
  subject: Subject,
  digestKey: (sha256: string) => string,
): Promise<Finding | null> {
  const whole = await readRetrieved(subject, async (dataSet, { TransferSyntaxUID: syntax }) => {
    const hash = createHash('sha256');
    let bytes = 0;
    for await (const chunk of limited(dataSet, sent.dataSetBytes)) {
      hash.update(chunk);
      bytes += chunk.length;
    }
    const same = bytes === sent.dataSetBytes && (syntax ?? sent.TransferSyntaxUID) === sent.TransferSyntaxUID;
    return same && digestKey(hash.digest('hex')) === sent.digest;
  });
  if (whole.kind !== 'read') return whole.finding;
  return whole.value ? { kind: 'proven', by: 'digest', form: 'prepared' } : null;
}

async function comparePixels(object: OpenObject, subject: Subject): Promise<Finding> {
  const { facts } = object;
  const metadata = await subject.client.metadata(subject.ref, subject.signal);
  if (metadata.kind !== 'present') return unproven(metadata);
  // Attributes the archive leaves out are no difference here, where the pixels themselves are compared.
  const image = { ...facts.image, ...metadata.facts.image };
  if (!sameIdentity(facts, metadata.facts) || !sameImage(facts.image, image)) return different;

  const own = await pixelDigest(facts.TransferSyntaxUID, object.dataSet());
  if (!own.ok || own.sha256 === null) return different;
  const archived = await readRetrieved(subject, async (dataSet, answer) => {
    const syntax = answer.TransferSyntaxUID ?? facts.TransferSyntaxUID;
    const pixels = await pixelDigest(syntax, limited(dataSet, facts.dataSetBytes));
    return { pixels, transcoded: syntax !== facts.TransferSyntaxUID };
  });
  if (archived.kind !== 'read') return archived.finding;
  const { pixels, transcoded } = archived.value;
  if (samePixels(own, pixels)) return { kind: 'proven', by: 'frames' };
  return transcoded ? reEncoded : different;
}

function samePixels(own: PixelDigestResult, archived: PixelDigestResult): boolean {
  return own.ok && archived.ok && own.sha256 === archived.sha256 && own.bytes === archived.bytes;
}

type Present = Extract<RetrieveAnswer, { kind: 'present' }>;
type Read<T> =
  | { readonly kind: 'read'; readonly value: T }
  | { readonly kind: 'unread'; readonly finding: Finding };

/** Retrieves and reads; a line that breaks on the way is "cannot be asked at present". */
async function readRetrieved<T>(
  { client, ref, signal }: Subject,
  read: (dataSet: AsyncIterable<Buffer>, answer: Present) => Promise<T>,
): Promise<Read<T>> {
  const answer = await client.retrieve(ref, signal);
  if (answer.kind !== 'present') return { kind: 'unread', finding: unproven(answer) };
  try {
    return { kind: 'read', value: await read(answer.dataSet(), answer) };
  } catch {
    const finding = {
      kind: 'unreadable',
      why: 'unavailable',
      code: 'RETRIEVE_BROKE',
      retryAfterMs: null,
    } as const;
    return { kind: 'unread', finding };
  } finally {
    answer.cancel();
  }
}

/** Ends the stream early where it is far longer than what we hold: it cannot be the same any more. */
async function* limited(dataSet: AsyncIterable<Buffer>, ownBytes: number): AsyncGenerator<Buffer> {
  let bytes = 0;
  for await (const chunk of dataSet) {
    yield chunk;
    bytes += chunk.length;
    if (bytes > ownBytes * 2 + slackBytes) return;
  }
}

const different: Finding = conflict(
  'ARCHIVE_HAS_OTHER_CONTENT',
  'The archive holds other content under the same SOP Instance UID. Ours is kept; compare the two.',
);
const existedBefore: Finding = conflict(
  'ARCHIVE_HAD_OTHER_CONTENT',
  'The archive says that it already had an image of this identity, and its content is not ours. Ours is kept.',
);
const reEncoded: Finding = conflict(
  'ARCHIVE_RE_ENCODED',
  'The archive gives the images back in another transfer syntax; they cannot be compared. Ours is kept.',
);

function conflict(code: string, words: string): Finding {
  const reason: Reason = { code, words };
  return { kind: 'different', reason };
}
