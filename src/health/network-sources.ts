import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';

/** Where the network facts come from. */
export interface NetworkSources {
  /** Addresses of the cards that are up, as the system lists them. */
  cards(): NodeJS.Dict<readonly CardAddress[]>;
  /** A file's text, or null where it cannot be read. */
  read(path: string): Promise<string | null>;
  /** Names in a folder; empty where it cannot be read. */
  list(path: string): Promise<readonly string[]>;
  /** What a program prints, or null where it is not there or fails. */
  run(program: string, args: readonly string[]): Promise<string | null>;
}

export interface CardAddress {
  readonly address: string;
  /** With the length of the network part, e.g. `10.4.1.9/24`. */
  readonly cidr: string | null;
  readonly family: string;
  readonly internal: boolean;
}

const runMsMax = 3000;
const outputBytesMax = 1024 * 1024;

/**
 * This machine. systeminformation answers these questions too, by shells it waits for, which would hold up
 * acknowledgements for as long: hence the files it reads, and `ip` beside us.
 */
export const networkSources: NetworkSources = {
  cards: () => networkInterfaces(),
  read: (path) => readFile(path, 'utf8').catch(() => null),
  list: (path) => readdir(path).catch(() => []),
  run: (program, args) =>
    new Promise((resolve) => {
      execFile(program, [...args], { timeout: runMsMax, maxBuffer: outputBytesMax }, (error, stdout) =>
        resolve(error === null ? stdout : null),
      );
    }),
};
