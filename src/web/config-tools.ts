/** The configuration in use and what becomes of it. Times in milliseconds since the epoch. */
export interface ConfigView {
  readonly generation: number;
  readonly origin: 'file' | 'page' | 'central';
  /** In use to be tried. */
  readonly onTrial: boolean;
  readonly phase: 'idle' | 'validating' | 'applying' | 'confirming' | 'reverting';
  /** Then it goes back by itself; null where nothing is tried. */
  readonly confirmUntil: number | null;
  /** What is worse than before, by its code. */
  readonly worse: Readonly<Record<string, string | null>>;
  /** Entries set on this box, e.g. `modalities.ct1`. */
  readonly overrides: readonly string[];
  /** Null where this box belongs to no fleet. */
  readonly central: {
    readonly fleet: string;
    readonly device: string;
    readonly generation: number | null;
    /** A generation that waits for its time. */
    readonly waiting: number | null;
  } | null;
  /** AE titles and ports of before that devices still need. */
  readonly keptOpen: readonly string[];
  /** Without secrets. */
  readonly document: unknown;
}

/** One configuration that was tried. */
export interface ConfigAttemptView {
  readonly at: number;
  readonly source: 'file' | 'central';
  readonly generation: number | null;
  readonly sha256: string;
  readonly phase: string;
  readonly error: { readonly code: string; readonly path: string | null; readonly message: string } | null;
}

/** What an operator can do with the configuration. */
export interface ConfigTools {
  show(): ConfigView;
  /** Newest first. */
  history(): readonly ConfigAttemptView[];
  /**
   * Tries a document on the running gateway.
   * @param confirmWithinSeconds somebody has to confirm it by then; null: it is kept once nothing is worse
   * @throws GantryError CONFIG_INVALID, CONFIG_CENTRAL, APPLY_*, TLS_*
   */
  apply(
    text: string,
    confirmWithinSeconds: number | null,
  ): Promise<{ readonly phase: ConfigView['phase']; readonly confirmUntil: number | null }>;
  /** @throws GantryError APPLY_NOTHING */
  confirm(): Promise<void>;
  /** @throws GantryError APPLY_NOTHING */
  rollback(): Promise<void>;
  /** Lets what went back be tried again. */
  retry(): Promise<void>;
  /** Applies the configuration of central IT that waits for its time. @throws GantryError APPLY_* */
  applyWaiting(): Promise<void>;
  /** Gives up AE titles and ports of before. @returns how many */
  release(): Promise<number>;
  /** For how long a confirmation may be waited for. */
  readonly confirmSeconds: { readonly min: number; readonly max: number };
}
