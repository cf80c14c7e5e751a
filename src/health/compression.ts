/** What the codec did since start, and what it decides; part of the status. PHI-free. */
export interface CompressionReport {
  readonly mode: 'auto' | 'off' | 'always';
  /** The forms in use, the preferred one first. */
  readonly syntaxes: readonly string[];
  readonly workers: number;
  /** Instances that were compressed and proven. */
  readonly instances: number;
  /** What they were received with, and what is sent of them. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Instances stored now in their compressed form alone: received with, and stored as, so many bytes. */
  readonly atRest: {
    readonly instances: number;
    readonly bytesReceived: number;
    readonly bytesStored: number;
  };
  /** Compressed images that did not give back what was received: none was used. */
  readonly mismatches: number;
  /** Threads that died, trapped or took too long. */
  readonly threadFailures: number;
  readonly savings: readonly {
    readonly modality: string;
    readonly codec: string;
    readonly instances: number;
    readonly bytesIn: number;
    readonly bytesOut: number;
  }[];
  /** Instances sent as received, by the reason's code. */
  readonly passedThrough: Readonly<Record<string, number>>;
  /** The latest decision for each destination and modality, in plain words. */
  readonly decisions: readonly {
    readonly destination: string;
    readonly modality: string;
    readonly codec: string;
    readonly compress: boolean;
    readonly words: string;
  }[];
}
