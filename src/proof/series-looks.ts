import type {
  ArchiveClient,
  InstanceRef,
  MetadataAnswer,
  SeriesMetadata,
  SeriesRef,
} from '../archive/port.ts';

/** What a look at the archive asks. */
export type LookClient = Pick<ArchiveClient, 'find' | 'metadata' | 'retrieve'>;

/** A series that holds so many times more than was asked for is not worth being asked for as a whole. */
const surplusMax = 4;
/** So many series in a row that could not be told as a whole concern the archive. */
const failuresMax = 3;
const singledOutMax = 1000;

/**
 * Asks an archive once for the metadata of a series of which more than one instance is waiting, and answers each look
 * from it. Where that cannot be done (too large, not offered, the instance is not in it) each is asked for by itself.
 */
export class SeriesLooks {
  readonly #client: ArchiveClient;
  /** Series to ask instance by instance, whose whole is too large or mostly not wanted. */
  readonly #singledOut = new Set<string>();
  /** In a row. */
  #failures = 0;

  constructor(client: ArchiveClient) {
    this.#client = client;
  }

  /** Whether instances of a series are better looked for together. */
  get works(): boolean {
    return this.#client.seriesMetadata !== undefined && this.#failures < failuresMax;
  }

  /** @param refs whose metadata is about to be asked for */
  together(refs: readonly InstanceRef[]): LookClient {
    const client = this.#client;
    const answers = new Map<string, Promise<SeriesMetadata | null>>();
    const waiting = Map.groupBy(refs, seriesKey);
    const shared = async (ref: InstanceRef, signal: AbortSignal): Promise<SeriesMetadata | null> => {
      const key = seriesKey(ref);
      const count = waiting.get(key)?.length ?? 0;
      if (key === null || count < 2) return null;
      const answer = answers.get(key) ?? this.#ask(key, ref, count, signal);
      answers.set(key, answer);
      return answer;
    };
    return {
      find: (ref, signal) => client.find(ref, signal),
      retrieve: (ref, signal) => client.retrieve(ref, signal),
      metadata: async (ref, signal): Promise<MetadataAnswer> => {
        const facts = (await shared(ref, signal))?.get(ref.SOPInstanceUID) ?? null;
        return facts === null ? client.metadata(ref, signal) : { kind: 'present', facts };
      },
    };
  }

  /** @returns null where each instance has to be asked for by itself */
  async #ask(
    key: string,
    ref: InstanceRef,
    wanted: number,
    signal: AbortSignal,
  ): Promise<SeriesMetadata | null> {
    const { StudyInstanceUID, SeriesInstanceUID } = ref;
    if (StudyInstanceUID === null || SeriesInstanceUID === null) return null;
    if (!this.works || this.#singledOut.has(key)) return null;
    const series: SeriesRef = { StudyInstanceUID, SeriesInstanceUID };
    const answer = await this.#client.seriesMetadata?.(series, signal);
    if (answer?.kind !== 'present') {
      this.#failures += 1;
      this.#singleOut(key);
      return null;
    }
    this.#failures = 0;
    if (answer.instances.size > wanted * surplusMax) this.#singleOut(key);
    return answer.instances;
  }

  #singleOut(key: string): void {
    const [oldest] = this.#singledOut;
    if (this.#singledOut.size >= singledOutMax && oldest !== undefined) this.#singledOut.delete(oldest);
    this.#singledOut.add(key);
  }
}

function seriesKey({ StudyInstanceUID, SeriesInstanceUID }: InstanceRef): string | null {
  if (StudyInstanceUID === null || SeriesInstanceUID === null) return null;
  return `${StudyInstanceUID} ${SeriesInstanceUID}`;
}
