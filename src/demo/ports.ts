/** What the demo needs started for it; the command line supplies both. */
export interface DemoPorts {
  /** @param directory an empty directory of its own; removed by the demo when all has stopped */
  startArchive(directory: string): Promise<DemoArchive>;
  startGateway(directory: string, archiveUrl: string): Promise<DemoGateway>;
}

/** An archive that says what really reached it. */
export interface DemoArchive {
  /** Its STOW-RS address. */
  readonly url: string;
  /** Calls back for each instance once it is stored. @returns the way to stop listening */
  onStored(listener: (stored: StoredInstance) => void): () => void;
  stop(): Promise<void>;
}

export interface StoredInstance {
  readonly SOPInstanceUID: string;
  /** Length of the Part 10 file as it was received. */
  readonly bytes: number;
}

/** A gateway that takes the phantom's AE title and forwards to the archive. It prints nothing. */
export interface DemoGateway {
  readonly dicomPort: number;
  readonly webPort: number;
  readonly aeTitle: string;
  status(): Promise<DemoStatus>;
  stop(): Promise<void>;
}

/** The part of the gateway's status report the demo reads. */
export interface DemoStatus {
  readonly reason: string;
  readonly totals: {
    readonly verified: number;
    readonly quarantined: number;
    readonly conflicts: number;
    readonly held: number;
  };
  readonly destinations: Readonly<Record<string, { readonly bytesSent: number }>>;
}
