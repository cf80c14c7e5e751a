import { existsSync } from 'node:fs';
import { Writable } from 'node:stream';
import type { DemoPorts, StoredInstance } from '../../src/demo/ports.ts';
import { listenMinimalScp, type StoreCommand } from '../fixtures/minimal-scp.ts';

/** What the stand-in gateway does with an object. */
export type Behaviour = 'verify' | 'refuse' | 'quarantine' | 'lose';

export interface StandIn {
  readonly ports: DemoPorts;
  /** What was stopped, in order, and whether its directory was still there then. */
  readonly stopped: readonly { readonly what: string; readonly directoryThere: boolean }[];
  readonly directories: readonly string[];
}

/** Bytes a Part 10 header adds, in this stand-in. */
export const headerBytes = 300;

/** A gateway and an archive in one: objects really travel over DIMSE, then count as delivered and verified. */
export function standIn(behaviour: (command: StoreCommand) => Behaviour): StandIn {
  const listeners = new Set<(stored: StoredInstance) => void>();
  const totals = { verified: 5, quarantined: 1, conflicts: 0, held: 0 };
  let bytesSent = 1000;
  const stopped: { what: string; directoryThere: boolean }[] = [];
  const directories: string[] = [];
  const stop = (what: string, directory: string): void =>
    void stopped.push({ what, directoryThere: existsSync(directory) });

  const finish = (command: StoreCommand, bytes: number): number => {
    const what = behaviour(command);
    if (what === 'refuse') return 0xa700;
    if (what === 'quarantine') totals.quarantined++;
    if (what === 'verify') {
      for (const listener of listeners) {
        listener({ SOPInstanceUID: command.SOPInstanceUID, bytes: bytes + headerBytes });
      }
      bytesSent += bytes + headerBytes;
      totals.verified++;
    }
    return 0;
  };

  const ports: DemoPorts = {
    startArchive: (directory) => {
      directories.push(directory);
      return Promise.resolve({
        url: 'http://127.0.0.1:1/dicom-web/studies',
        onStored: (listener) => {
          listeners.add(listener);
          return () => listeners.delete(listener);
        },
        stop: () => Promise.resolve(stop('archive', directory)),
      });
    },
    startGateway: async (directory) => {
      directories.push(directory);
      const scp = await listenMinimalScp({
        errorComment: 'no space left',
        onStore: (command) => {
          let bytes = 0;
          return {
            write: (chunk) => {
              bytes += chunk.length;
              return undefined;
            },
            end: () => Promise.resolve(finish(command, bytes)),
          };
        },
      });
      return {
        dicomPort: scp.port,
        webPort: 8080,
        aeTitle: 'GANTRY',
        status: () =>
          Promise.resolve({
            reason: 'The archive does not take this object.',
            totals: { ...totals },
            destinations: { cloud: { bytesSent } },
          }),
        stop: async () => {
          stop('gateway', directory);
          await scp.close();
        },
      };
    },
  };
  return { ports, stopped, directories };
}

/** Collects what is written, and lets a test wait for some words. */
export class Transcript extends Writable {
  text = '';
  readonly #waiting: { words: string; found: () => void }[] = [];

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.text += chunk.toString();
    for (const { words, found } of this.#waiting) if (this.text.includes(words)) found();
    done();
  }

  until(words: string): Promise<void> {
    if (this.text.includes(words)) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ words, found: resolve }));
  }
}
