import type { LedgerDatabase } from './ledger.ts';
import * as abilities from './ledger-abilities.ts';
import * as deliveries from './ledger-deliveries.ts';
import * as forms from './ledger-forms.ts';
import * as instances from './ledger-instances.ts';
import * as rest from './ledger-rest.ts';
import * as studies from './ledger-studies.ts';
import * as views from './ledger-views.ts';

const { refusalsSince: _since, learn: _learn, ...abilityOperations } = abilities;
const { chosenForm: _sql, forgetForm: _forget, withCodec: _mark, ...formOperations } = forms;
const { recentRows: _page, ...studyOperations } = studies;

/** Everything the ledger worker does, by name: each takes the database first. */
export const operations = {
  ...abilityOperations,
  ...deliveries,
  ...formOperations,
  ...instances,
  ...rest,
  ...studyOperations,
  ...views,
} as const;

export type OperationName = keyof typeof operations;

type WithoutDatabase<F> = F extends (database: LedgerDatabase, ...rest: infer Rest) => unknown ? Rest : never;

export type Arguments<Name extends OperationName> = WithoutDatabase<(typeof operations)[Name]>;
export type Result<Name extends OperationName> = ReturnType<(typeof operations)[Name]>;

export interface LedgerRequest {
  readonly id: number;
  readonly name: OperationName;
  readonly args: readonly unknown[];
}

export type LedgerReply =
  | { readonly id: number; readonly ok: true; readonly result: unknown }
  | { readonly id: number; readonly ok: false; readonly error: { code: string; message: string } };
