import type { ArchiveClient, FindAnswer } from '../archive/port.ts';
import type { SpoolForward, UidKey } from '../spool/types.ts';
import type { ReadyItem } from './shipment.ts';

type Client = Pick<ArchiveClient, 'find' | 'knowsStudy' | 'answersWhileStoring'>;

/** Studies whose answer is remembered here, so that batches side by side ask once. */
const rememberedMax = 256;

/**
 * Whether the archive knew a study before we first sent any of it. Some archives answer "stored" to other bytes
 * under a UID they have, and keep their own: then only a comparison tells whether ours arrived.
 */
export class PriorKnowledge {
  readonly #client: Client;
  readonly #spool: Pick<SpoolForward, 'noteArchiveHad'>;
  readonly #destination: string;
  readonly #asked = new Map<UidKey, Promise<boolean>>();
  readonly #questionMsMax: number;
  /** It took too long over a question while it was being sent to. */
  #oneAtATime = false;

  constructor(
    client: Client,
    spool: Pick<SpoolForward, 'noteArchiveHad'>,
    destination: string,
    questionMsMax: number,
  ) {
    this.#client = client;
    this.#spool = spool;
    this.#destination = destination;
    this.#questionMsMax = questionMsMax;
  }

  /** The archive is asked while the batch is on its way already, all but its end; otherwise before anything is sent. */
  get alongside(): boolean {
    return this.#client.answersWhileStoring === true && !this.#oneAtATime;
  }

  /** What is known of the study of a batch; asks the archive where that was never done. */
  async learn(ready: readonly ReadyItem[], signal: AbortSignal): Promise<boolean> {
    const [first] = ready;
    return first === undefined ? true : (first.item.archiveHad ?? (await this.#learn(first, signal)));
  }

  /**
   * Waits for what `learn` promised, whatever it is. As long as the end of a request waits for this, nothing of that
   * request is in the archive, and the answer is about the time before it.
   */
  async settled(learnt: Promise<boolean>): Promise<void> {
    const { promise: late, resolve } = Promise.withResolvers<'late'>();
    const timer = setTimeout(() => resolve('late'), this.#questionMsMax);
    const first = await Promise.race([learnt.catch(() => true), late]);
    clearTimeout(timer);
    if (first === 'late') this.#oneAtATime = true;
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
