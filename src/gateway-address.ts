import { networkInterfaces } from 'node:os';
import { type Disk, readWholeFile, writeFileDurably } from './base/disk.ts';
import { systemErrorCode } from './base/errors.ts';
import type { Log } from './base/log.ts';
import type { AddressChangeReport } from './health/status.ts';

const bytesMax = 256;

/** Of this machine, without those only it can reach. */
function ownAddresses(): string[] {
  return Object.values(networkInterfaces()).flatMap((list) =>
    (list ?? []).filter((one) => !one.internal && !/^fe[89ab]/i.test(one.address)).map((one) => one.address),
  );
}

interface Parts {
  readonly disk: Disk;
  readonly path: string;
  readonly log: Log;
  readonly addresses?: () => readonly string[];
}

/**
 * Remembers, across restarts, by which address modalities last reached this box: where it has another one now
 * (a new lease, a new network), every modality sends into the void, and no log of ours would ever show it.
 */
export class AddressMemory {
  readonly #parts: Parts;
  #known: string | null = null;

  private constructor(parts: Parts) {
    this.#parts = parts;
  }

  static async open(parts: Parts): Promise<AddressMemory> {
    const memory = new AddressMemory(parts);
    try {
      const bytes = await readWholeFile(parts.disk, parts.path, bytesMax);
      if (bytes !== null) memory.#known = bytes.toString('utf8').trim();
    } catch (error) {
      // A hint for people, nothing more: without it the box works as well.
      parts.log.warn({ code: systemErrorCode(error) }, 'the address modalities used last cannot be read');
    }
    return memory;
  }

  /** @param address where a modality has just reached us; loopback is none a modality can be told */
  heardAt(address: string | null): void {
    if (address === null || address === this.#known || /^(?:127\.|::1$)/.test(address)) return;
    this.#known = address;
    const { disk, path, log } = this.#parts;
    writeFileDurably(disk, path, Buffer.from(`${address}\n`)).catch((error: unknown) =>
      log.warn({ code: systemErrorCode(error) }, 'the address modalities used last cannot be kept'),
    );
  }

  /** Null while the remembered address is one of ours, or none is remembered. */
  change(): AddressChangeReport | null {
    if (this.#known === null) return null;
    const now = (this.#parts.addresses ?? ownAddresses)();
    return now.includes(this.#known) ? null : { was: this.#known, now };
  }
}
