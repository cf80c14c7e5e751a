import type { ArchiveClient, FindAnswer } from '../archive/port.ts';
import type { SpoolForward, UidKey } from '../spool/types.ts';
import type { ReadyItem } from './shipment.ts';

/** Studies whose answer is remembered here, so that batches side by side ask once. */
const rememberedMax = 256;

/**
 * Whether the archive knew a study before we first sent any of it. Some archives answer "stored" to other bytes
 * under a UID they have, and keep their own: then only a comparison tells whether ours arrived.
 */
export class PriorKnowledge {
  readonly #client: Pick<ArchiveClient, 'find' | 'knowsStudy'>;
  readonly #spool: Pick<SpoolForward, 'noteArchiveHad'>;
  readonly #destination: string;
  readonly #asked = new Map<UidKey, Promise<boolean>>();

  constructor(
    client: Pick<ArchiveClient, 'find' | 'knowsStudy'>,
    spool: Pick<SpoolForward, 'noteArchiveHad'>,
    destination: string,
  ) {
    this.#client = client;
    this.#spool = spool;
    this.#destination = destination;
  }

  /** Fills in `archiveHad` for a batch of one study; asks the archive where that was never done. */
  async complete(ready: readonly ReadyItem[], signal: AbortSignal): Promise<ReadyItem[]> {
    const [first] = ready;
    if (first === undefined) return [];
    const archiveHad = first.item.archiveHad ?? (await this.#learn(first, signal));
    return ready.map(({ item, facts }) => ({ facts, item: { ...item, archiveHad } }));
  }

  #learn(first: ReadyItem, signal: AbortSignal): Promise<boolean> {
    const { studyKey } = first.item;
    const asked = this.#asked.get(studyKey) ?? this.#ask(first, signal);
    this.#asked.delete(studyKey);
    this.#asked.set(studyKey, asked);
    const [oldest] = this.#asked.keys();
    if (this.#asked.size > rememberedMax && oldest !== undefined) this.#asked.delete(oldest);
    return asked;
  }

  async #ask({ item, facts }: ReadyItem, signal: AbortSignal): Promise<boolean> {
    const answer: FindAnswer =
      facts.StudyInstanceUID === null
        ? await this.#client.find(facts, signal)
        : await this.#client.knowsStudy(facts.StudyInstanceUID, signal);
    if (answer.kind === 'failed' && answer.why === 'unavailable') {
      // Not an answer: the next attempt asks again.
      this.#asked.delete(item.studyKey);
      return true;
    }
    return this.#spool.noteArchiveHad(item.studyKey, this.#destination, answer.kind !== 'absent');
  }
}
