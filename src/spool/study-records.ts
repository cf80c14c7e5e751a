import type { LedgerClient } from './ledger-client.ts';
import type { StudyCursor, StudyEntries, StudyEntry } from './ledger-studies.ts';
import type { ObjectId, UidKey } from './types.ts';

/** What the ledger knows study by study, for people who look at it. */
export class StudyRecords {
  readonly #ledger: () => LedgerClient;

  constructor(ledger: () => LedgerClient) {
    this.#ledger = ledger;
  }

  /** Those that received an image last, newest first. @param after the `next` of the page before, or null */
  recent(studiesMax: number, after: StudyCursor | null): Promise<StudyEntries> {
    return this.#ledger().call('recentStudies', studiesMax, after);
  }

  /** Null where nothing is known of it. */
  of(studyKey: UidKey): Promise<StudyEntry | null> {
    return this.#ledger().call('studyEntry', studyKey);
  }

  /** One received object of the study that is still here, or null. */
  objectOf(studyKey: UidKey): Promise<ObjectId | null> {
    return this.#ledger().call('objectOfStudy', studyKey);
  }
}
