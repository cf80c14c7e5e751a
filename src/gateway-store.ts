import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { z } from 'zod';
import { type Clock, systemClock } from './base/clock.ts';
import { type Disk, nodeDisk } from './base/disk.ts';
import type { Log } from './base/log.ts';
import { Note } from './base/note.ts';
import { answererOf } from './config/answerer.ts';
import type { Config } from './config/schema.ts';
import { ConfigRejectedError, ConfigStore, type CurrentConfig } from './config/store.ts';
import { configMissing } from './config/store-failures.ts';
import { applyFailures } from './config/remote/apply-failures.ts';
import { RemoteState } from './config/remote/state.ts';
import { Keyring } from './crypto/keyring.ts';
import { SealedFile } from './crypto/sealed-file.ts';
import { PauseBook, pauseNote } from './forward/pause-book.ts';
import { Router } from './forward/routes.ts';
import type { RejectionReport } from './health/status.ts';
import { Codec } from './gateway-codec.ts';
import { SecretBook } from './gateway-secrets.ts';
import { FileReceiptStore } from './proof/receipt-store.ts';
import { dataUnusable, lockDataDirectory } from './spool/data-lock.ts';
import { holdsData } from './spool/recovery.ts';
import { Spool } from './spool/spool.ts';
import type { AdmissionFacts, DataSetFacts } from './spool/types.ts';

const configBytesMax = 16 * 1024 * 1024;
const noteBytesMax = 1024 * 1024;
/** After so long without a new image a study of an unknown caller counts as complete. */
export const defaultQuietMs = 30_000;

/** The configuration in use, sealed. */
export function storedConfigPath(dataDirectory: string): string {
  return join(dataDirectory, 'config', 'config');
}

export interface StoreOptions {
  readonly dataDirectory: string;
  /** Text of the `--config` file, or null where none was given. */
  readonly configText: string | null;
  readonly log: Log;
  readonly clock?: Clock;
  readonly disk?: Disk;
  /** A part that everything depends on ended by itself: end the process, so that it is started anew. */
  readonly died?: (error: Error) => void;
  /** The last lines of the log, oldest first; none where nobody keeps them. */
  readonly recentLog?: () => readonly string[];
}

/** What is on disk, opened. */
export interface Store {
  readonly dataDirectory: string;
  readonly disk: Disk;
  readonly clock: Clock;
  readonly log: Log;
  readonly keyring: Keyring;
  readonly configStore: ConfigStore;
  /** What is remembered of central IT, and of configurations that were tried. */
  readonly remote: RemoteState;
  /** As it is now: it can be changed while the gateway runs. */
  readonly current: CurrentConfig;
  /** Why the `--config` file was not taken over, where it was not. */
  readonly configRejected: RejectionReport | null;
  readonly spool: Spool;
  readonly codec: Codec;
  readonly receipts: FileReceiptStore;
  readonly pauses: PauseBook;
  /** Secrets that came sealed with the configuration. */
  readonly secrets: SecretBook;
  readonly recentLog: () => readonly string[];
}

/** What is on disk, opened in the order of its dependence: lock, keys, configuration, spool. */
export async function openStore(options: StoreOptions, stack: AsyncDisposableStack): Promise<Store> {
  const { dataDirectory, log, clock = systemClock, disk = nodeDisk, died = throwLater } = options;
  const { recentLog = () => [] } = options;
  if (options.configText === null) await requireConfig(disk, dataDirectory);
  const lock = await lockDataDirectory(disk, dataDirectory);
  stack.defer(() => lock.release());
  const keyring = await Keyring.open({
    disk,
    directory: join(dataDirectory, 'keys'),
    credentials: process.env['CREDENTIALS_DIRECTORY'] ?? null,
    clock,
    log,
    mayCreate: !(await holdsData(disk, dataDirectory)),
  });
  const configFile = {
    path: storedConfigPath(dataDirectory),
    purpose: 'config',
    bytesMax: configBytesMax,
  };
  const configStore = await ConfigStore.open(new SealedFile(disk, keyring, configFile), clock);
  const remote = await openRemoteState({ disk, keyring, dataDirectory, log });
  const configRejected =
    options.configText === null
      ? null
      : await importConfig(configStore, options.configText, log, remote.value.enrolment !== null);
  const { config } = configStore.current();
  const codec = new Codec(config, clock, log);
  const spool = new Spool({
    ...spoolOptions(() => configStore.current().config, clock),
    preparedBytes: config.spool.preparedBytes,
    get reserveBytes() {
      return configStore.current().config.spool.reserveBytes;
    },
    get replacesReceived() {
      return configStore.current().config.compression.atRest;
    },
    disk,
    codec,
    clock,
    log,
    keyring,
    dataDirectory,
    died,
  });
  await spool.start();
  stack.defer(() => spool.stop());
  await spool.codec.noteSettings(settingsOf(config));
  const receipts = new FileReceiptStore(disk, keyring, join(dataDirectory, 'receipts'));
  const notes = { disk, keyring, dataDirectory, log };
  const pauses = new PauseBook(await openNote(notes, 'paused', pauseNote));
  const secrets = new SecretBook({ disk, keyring, dataDirectory, configStore, remote });
  return {
    dataDirectory,
    disk,
    clock,
    log,
    keyring,
    configStore,
    remote,
    get current() {
      return configStore.current();
    },
    configRejected,
    spool,
    codec,
    receipts,
    pauses,
    secrets,
    recentLog,
  };
}

/** What is remembered of central IT, sealed. */
export function openRemoteState({
  disk,
  keyring,
  dataDirectory,
  log,
}: Pick<Store, 'disk' | 'keyring' | 'dataDirectory' | 'log'>): Promise<RemoteState> {
  const path = join(dataDirectory, 'config', 'remote');
  return RemoteState.open(
    new SealedFile(disk, keyring, { path, purpose: 'remote', bytesMax: noteBytesMax }),
    (error) =>
      log.error({ code: 'REMOTE_STATE_DAMAGED', error }, 'what was remembered of central IT cannot be read'),
  );
}

/** Something small to be remembered over restarts, sealed, beside the configuration. */
export function openNote<T>(
  { disk, keyring, dataDirectory, log }: Pick<Store, 'disk' | 'keyring' | 'dataDirectory' | 'log'>,
  name: string,
  content: { schema: z.ZodType<T>; empty: T },
): Promise<Note<T>> {
  const place = { path: join(dataDirectory, 'config', name), purpose: name, bytesMax: noteBytesMax };
  return Note.open(new SealedFile(disk, keyring, place), content, (error) =>
    log.error({ code: 'NOTE_DAMAGED', note: name, error }, 'a note cannot be read and counts as empty'),
  );
}

/** A mistyped path is told before anything is made there. @throws GantryError CONFIG_MISSING, DATA_UNUSABLE */
async function requireConfig(disk: Disk, dataDirectory: string): Promise<void> {
  let configured: boolean;
  try {
    configured = (await disk.facts(storedConfigPath(dataDirectory))) !== null;
  } catch (error) {
    throw dataUnusable(error);
  }
  if (!configured) throw configMissing();
}

/** Nobody said what to do: let the process end. */
function throwLater(error: Error): void {
  setImmediate(() => {
    throw error;
  });
}

/** A changed file that is not valid never replaces the configuration in use: it is reported. */
async function importConfig(
  store: ConfigStore,
  text: string,
  log: Log,
  enrolled: boolean,
): Promise<RejectionReport | null> {
  if (enrolled && hasConfig(store) && hasWay(store.current().config)) {
    if (store.isImported(text)) return null;
    const { code, message, nextStep } = applyFailures.central;
    log.warn({ code }, 'the --config file is not taken: central IT configures this box');
    return { code, words: message, nextStep };
  }
  try {
    const outcome = await store.importFile(text);
    log.info({ outcome }, 'configuration file read');
    const { undone } = store.current();
    if (outcome === 'imported' && undone.length > 0)
      log.warn(
        { code: 'CONFIG_CHANGES_UNDONE', undone },
        'the changed configuration file undid what had been changed on the page',
      );
    return null;
  } catch (error) {
    if (!(error instanceof ConfigRejectedError) || !hasConfig(store)) throw error;
    log.error(
      { code: error.code, problems: error.problems },
      'the changed configuration file is not valid; the one in use stays',
    );
    return {
      code: error.code,
      words: error.message,
      nextStep: 'Check the file with "gantry check-config FILE", correct it, and start the gateway again.',
    };
  }
}

/** Whether central IT can reach this box at all: where not, the box itself has to be given a way. */
export function hasWay({ remote: { https, mqtt, usb } }: Config): boolean {
  return https !== null || mqtt !== null || usb !== null;
}

function hasConfig(store: ConfigStore): boolean {
  try {
    store.current();
    return true;
  } catch {
    return false;
  }
}

/** Fingerprints of the settings that decide who answers for a destination. */
export function settingsOf({ destinations }: Config): Record<string, string> {
  return Object.fromEntries(
    Object.entries(destinations).map(([name, entry]) => [
      name,
      createHash('sha256')
        .update(JSON.stringify(answererOf(entry)))
        .digest('hex'),
    ]),
  );
}

/** @param current all of it changes while the gateway runs */
function spoolOptions(current: () => Config, clock: Clock) {
  let routed: { readonly config: Config; readonly router: Router } | null = null;
  const router = (): Router => {
    const config = current();
    if (routed?.config !== config) {
      const names = Object.keys(config.destinations);
      routed = { config, router: new Router(config.routes, names, config.site.timeZone) };
    }
    return routed.router;
  };
  return {
    destinationsOf: (facts: AdmissionFacts, found: DataSetFacts) =>
      router().destinationsOf({ ...facts, ...found }, clock.now()),
    quietMs: (modalityName: string | null) => {
      const modality = modalityName === null ? undefined : current().modalities[modalityName];
      return modality === undefined ? defaultQuietMs : modality.settleSeconds * 1000;
    },
  };
}
