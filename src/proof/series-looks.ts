import type {
  ArchiveClient,
  InstanceRef,
  MetadataAnswer,
  SeriesMetadata,
  SeriesRef,
} from '../archive/port.ts';

/** What a look at the archive asks. */
export type LookClient = Pick<ArchiveClient, 'find' | 'metadata' | 'retrieve'>;

/** A series that holds so many times what is waiting is not worth being asked for as a whole. */
const surplusMax = 4;
/** So many series in a row that could not be told as a whole concern the archive. */
const failuresMax = 3;
const seriesMax = 1000;

/**
 * Asks an archive once for the metadata of a series of which more than one instance is waiting, and answers each look
 * from it. Each is asked for by itself where that cannot be done (too large, not offered, the instance is not in it),
 * and where few are waiting of a series of which the archive has many, as while it is still being sent.
 */
export class SeriesLooks {
  readonly #client: ArchiveClient;
  /** Instances the archive has of a series, as far as is known here; Infinity: it cannot be told as a whole. */
  readonly #sizes = new Map<string, number>();
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
    const wholes = this.#wholes(refs);
    const shared = async (ref: InstanceRef, signal: AbortSignal): Promise<SeriesMetadata | null> => {
      const key = seriesKey(ref);
      if (key === null || !wholes.has(key)) return null;
      const answer = answers.get(key) ?? this.#ask(key, ref, signal);
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

  /** The series that are to be asked for as a whole. */
  #wholes(refs: readonly InstanceRef[]): ReadonlySet<string> {
    const wholes = new Set<string>();
    for (const [key, { length: wanted }] of Map.groupBy(refs, seriesKey)) {
      if (key === null) continue;
      const before = this.#sizes.get(key) ?? 0;
      if (wanted > 1 && before <= wanted * surplusMax) wholes.add(key);
      this.#remember(key, before + wanted);
    }
    return wholes;
  }

  /** @returns null where each instance has to be asked for by itself */
  async #ask(key: string, ref: InstanceRef, signal: AbortSignal): Promise<SeriesMetadata | null> {
    const { StudyInstanceUID, SeriesInstanceUID } = ref;
    if (StudyInstanceUID === null || SeriesInstanceUID === null || !this.works) return null;
    const series: SeriesRef = { StudyInstanceUID, SeriesInstanceUID };
    const answer = await this.#client.seriesMetadata?.(series, signal);
    if (answer?.kind !== 'present') {
      this.#failures += 1;
      this.#remember(key, Infinity);
      return null;
    }
    this.#failures = 0;
    this.#remember(key, answer.instances.size);
    return answer.instances;
  }

  #remember(key: string, size: number): void {
    this.#sizes.delete(key);
    this.#sizes.set(key, size);
    const [oldest] = this.#sizes.keys();
    if (this.#sizes.size > seriesMax && oldest !== undefined) this.#sizes.delete(oldest);
  }
}

function seriesKey({ StudyInstanceUID, SeriesInstanceUID }: InstanceRef): string | null {
  if (StudyInstanceUID === null || SeriesInstanceUID === null) return null;
  return `${StudyInstanceUID} ${SeriesInstanceUID}`;
}
