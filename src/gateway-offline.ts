import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { nodeDisk } from './base/disk.ts';
import { GantryError, systemErrorCode } from './base/errors.ts';
import type { Log } from './base/log.ts';
import { openAccess } from './gateway-access.ts';
import { createOperator } from './gateway-operator.ts';
import { openStore, storedConfigPath } from './gateway-store.ts';
import { dataUnusable, lockDataDirectory } from './spool/data-lock.ts';
import { setLedgerAside } from './spool/ledger-opening.ts';
import { holdsData } from './spool/recovery.ts';
import type { Spool } from './spool/spool.ts';
import type { ConsoleAuth } from './web/control.ts';
import type { Operator } from './web/operator.ts';

/** The operator's hand on the data directory of a gateway that is not running. */
export interface OfflineGateway extends AsyncDisposable {
  readonly operator: Operator;
  readonly spool: Spool;
  /** What somebody at the console may do about signing in. */
  auth(): Promise<ConsoleAuth>;
}

/**
 * Opens a data directory without receiving or sending anything.
 * @param rebuild sets the ledger aside first, so that it is rebuilt from the objects
 * @throws GantryError DATA_NONE, DATA_OTHER_OWNER, DATA_UNUSABLE, DATA_LOCKED where a gateway runs on it,
 *   CONFIG_MISSING, KEYS_*
 */
export async function openOffline(
  dataDirectory: string,
  log: Log,
  { rebuild = false }: { rebuild?: boolean } = {},
): Promise<OfflineGateway> {
  await requireOwnData(dataDirectory);
  await using stack = new AsyncDisposableStack();
  if (rebuild) {
    const lock = await lockDataDirectory(nodeDisk, dataDirectory);
    await setLedgerAside(nodeDisk, join(dataDirectory, 'ledger.db'));
    lock.release();
  }
  const store = await openStore({ dataDirectory, configText: null, log }, stack);
  const opened = stack.move();
  return {
    operator: createOperator(store),
    spool: store.spool,
    auth: async () => (await openAccess(store)).console,
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

/** Makes sure, before anything is made, that a gateway has worked here, and as this user. */
function requireOwnData(dataDirectory: string): Promise<void> {
  return requireOwnDirectory(dataDirectory, async () => {
    const configured = (await nodeDisk.facts(storedConfigPath(dataDirectory))) !== null;
    return configured || (await holdsData(nodeDisk, dataDirectory));
  });
}

/**
 * Makes sure that a directory is there, and belongs to this user.
 * @throws GantryError DATA_NONE, also where it is not what is looked for; DATA_OTHER_OWNER, DATA_UNUSABLE
 */
export async function requireOwnDirectory(
  dataDirectory: string,
  isWanted: () => Promise<boolean> = () => Promise.resolve(true),
): Promise<void> {
  const user = process.getuid?.();
  let owner = user;
  try {
    owner = (await stat(dataDirectory)).uid;
    if (!(await isWanted())) throw noData();
  } catch (error) {
    if (error instanceof GantryError) throw error;
    const code = systemErrorCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') throw noData();
    // Another user's directory may be closed to this one.
    if (owner === user) throw dataUnusable(error);
  }
  if (owner !== user) throw otherOwner(owner);
}

function noData(): GantryError {
  return new GantryError({
    code: 'DATA_NONE',
    kind: 'permanent',
    message: "There is no gateway's data in this directory.",
    nextStep: 'Check --data: it names the directory that a gateway was started with.',
  });
}

/** What another user makes there, the gateway could not open. */
function otherOwner(owner: number | undefined): GantryError {
  return new GantryError({
    code: 'DATA_OTHER_OWNER',
    kind: 'permanent',
    message: `This data directory belongs to user ${owner}, and the gateway on it is not running.`,
    nextStep: `Give the command as that user: sudo -u '#${owner}' gantry …`,
  });
}
