import type { Clock } from '../base/clock.ts';
import type { Disk } from '../base/disk.ts';
import type { Log } from '../base/log.ts';
import type { Keyring } from '../crypto/keyring.ts';
import type { CodecOptions } from './prepared.ts';
import type { AdmissionFacts, DataSetFacts } from './types.ts';

export interface SpoolOptions {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly log: Log;
  readonly keyring: Keyring;
  /** The data directory: `spool/` and `ledger.db` lie in it. Locked by this process. */
  readonly dataDirectory: string;
  readonly reserveBytes: number;
  /** Written in advance in idle moments. */
  readonly preparedBytes: number;
  /** Of one segment file; by the size of the volume where it is not given. */
  readonly segmentBytes?: number;
  /** Where an instance goes; frozen in its trailer. Never empty. */
  destinationsOf(facts: AdmissionFacts, found: DataSetFacts): readonly string[];
  /** After how long without an image a study counts as settled, by modality. */
  quietMs(modalityName: string | null): number;
  /** What compresses instances before they are sent. Without one nothing waits for it. */
  readonly codec?: CodecOptions;
  /** Whether a proven prepared object takes the place of the received one on the disk. */
  readonly replacesReceived?: boolean;
  /** The ledger's thread ended by itself: the process has to be started anew. Nothing acknowledged is lost. */
  readonly died: (error: Error) => void;
}
