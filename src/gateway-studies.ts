import { createPublicKey } from 'node:crypto';
import { GantryError } from './base/errors.ts';
import { readIdentity } from './dicom/identity.ts';
import type { Store } from './gateway-store.ts';
import { verifyReceipt } from './proof/receipt.ts';
import type { StudyCursor, StudyEntry } from './spool/ledger-studies.ts';
import type { UidKey } from './spool/types.ts';
import type { StudyDetail, StudyTools, StudyView } from './web/study-view.ts';

/** Studies from the ledger, receipts and, when somebody asks whose they are, one sealed object. */
export function createStudyTools({ spool, receipts, keyring }: Store): StudyTools {
  const { studies } = spool;
  const publicKey = createPublicKey(keyring.signingKey);
  const known = async (studyKey: string): Promise<StudyEntry> => {
    const entry = await studies.of(studyKey as UidKey);
    if (entry === null) throw studyUnknown();
    return entry;
  };
  const receiptAt = async (studyKey: string): Promise<number | null> => {
    const jws = await receipts.read(studyKey);
    return jws === null ? null : Date.parse((await verifyReceipt(jws, publicKey)).issuedAt);
  };
  return {
    list: async (limit, after) => {
      const { entries, next } = await studies.recent(limit, after === null ? null : parseCursor(after));
      return {
        studies: entries.map(viewOf),
        next: next === null ? null : `${next.lastReceivedAt}-${next.studyKey}`,
      };
    },
    detail: async (studyKey) => {
      const entry = await known(studyKey);
      return { ...viewOf(entry), timeline: timelineOf(entry, await receiptAt(studyKey)) };
    },
    reveal: async (studyKey) => {
      await known(studyKey);
      const objectId = await studies.objectOf(studyKey as UidKey);
      if (objectId === null) throw studyGone();
      await using object = await spool.open(objectId);
      return readIdentity(object.dataSet(), object.facts.TransferSyntaxUID);
    },
  };
}

function viewOf(entry: StudyEntry): StudyView {
  const { instances, destinations, ...rest } = entry;
  return {
    ...rest,
    received: instances,
    expected: null,
    destinations: destinations.map(({ destination, states, reasons }) => ({
      destination,
      delivered: states.delivered + states.accepted + states.verified,
      verified: states.verified,
      states,
      reasons,
    })),
  };
}

function timelineOf(entry: StudyEntry, receiptAt: number | null): StudyDetail['timeline'] {
  type Event = StudyDetail['timeline'][number];
  const event = (at: number | null, moment: Event['moment'], destination: string | null = null): Event[] =>
    at === null ? [] : [{ at, moment, destination }];
  const events = [
    ...event(entry.firstReceivedAt, 'first-received'),
    ...event(entry.lastReceivedAt, 'last-received'),
    ...entry.destinations.flatMap((one) => [
      ...event(one.firstDeliveredAt, 'first-delivered', one.destination),
      ...event(one.lastDeliveredAt, 'last-delivered', one.destination),
      ...event(one.lastVerifiedAt, 'last-verified', one.destination),
    ]),
    ...event(receiptAt, 'receipt'),
  ];
  return events.toSorted((a, b) => a.at - b.at);
}

/** @throws GantryError STUDY_PAGE where the text is no `next` of a page before */
function parseCursor(text: string): StudyCursor {
  const [, at, studyKey] = /^(\d{1,15})-([0-9a-f]{1,64})$/.exec(text) ?? [];
  if (at !== undefined && studyKey !== undefined) return { lastReceivedAt: Number(at), studyKey };
  throw new GantryError({
    code: 'STUDY_PAGE',
    kind: 'permanent',
    message: 'There is no such page of studies.',
    nextStep: 'Ask for the first page, and then with the "next" of each page for the one after it.',
  });
}

function studyUnknown(): GantryError {
  return new GantryError({
    code: 'STUDY_UNKNOWN',
    kind: 'permanent',
    message: 'This box knows no such study.',
    nextStep: 'Choose one of the list of studies.',
  });
}

function studyGone(): GantryError {
  return new GantryError({
    code: 'STUDY_GONE',
    kind: 'permanent',
    message: 'No image of this study is on this box any more; the archive has it.',
    nextStep: 'Look it up at the archive: its receipt names the study.',
  });
}
