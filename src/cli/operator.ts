import { join, resolve } from 'node:path';
import { GantryError } from '../base/errors.ts';
import { createLog } from '../base/log.ts';
import type { OfflineGateway } from '../gateway-offline.ts';
import type { Operator } from '../web/operator.ts';
import { ControlClient } from './control-client.ts';

/** Options of every command that works on a data directory. */
export interface DataOptions {
  readonly data: string;
}

export type OperatorCommands = Pick<
  Operator,
  | 'list'
  | 'retry'
  | 'release'
  | 'discard'
  | 'resolve'
  | 'hurry'
  | 'forgetAbilities'
  | 'scrub'
  | 'receipts'
  | 'receipt'
>;

/** The data directory of a stopped gateway; only then is it loaded. */
export async function offlineGateway(
  data: string,
  options: { rebuild?: boolean } = {},
): Promise<OfflineGateway> {
  const { openOffline } = await import('../gateway-offline.ts');
  return openOffline(resolve(data), createLog('error', process.stderr), options);
}

/** The running gateway carries the command out; where none runs, this process does, on the data directory. */
export async function withOperator<T>(
  data: string,
  work: (operator: OperatorCommands) => Promise<T>,
): Promise<T> {
  await using control = new ControlClient(join(data, 'control.sock'));
  try {
    return await work(control);
  } catch (error) {
    if (!(error instanceof GantryError) || error.code !== 'CONTROL_NOT_RUNNING') throw error;
  }
  await using offline = await offlineGateway(data);
  return await work(offline.operator);
}
