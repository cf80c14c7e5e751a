import { afterEach } from 'vitest';
import { createDicomWebClient, type DicomWebOptions } from '../../src/archive/dicomweb.ts';
import type { ArchiveClient } from '../../src/archive/port.ts';

interface Stoppable {
  stop(): Promise<void>;
}

export interface Opened {
  /** Has it stopped after the test. */
  readonly using: <T extends Stoppable>(thing: T) => T;
  /** A client that is closed after the test. */
  readonly clientOf: (url: string, options?: Partial<DicomWebOptions>) => ArchiveClient;
}

/** Keeps what a test opens and stops it afterwards, the last first. Call once, outside of tests. */
export function keepOpened(): Opened {
  const open: Stoppable[] = [];
  afterEach(async () => {
    for (const each of open.splice(0).toReversed()) await each.stop();
  });
  return {
    using: (thing) => {
      open.push(thing);
      return thing;
    },
    clientOf: (url, options = {}) => {
      const client = createDicomWebClient({ url, ...options });
      open.push({ stop: () => client.close() });
      return client;
    },
  };
}
