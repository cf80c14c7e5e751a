import { join, resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { GantryError } from '../base/errors.ts';
import { createLog } from '../base/log.ts';
import type { OfflineGateway } from '../gateway.ts';
import type { DeliveryStateView, Operator, Selection } from '../web/operator.ts';
import { ControlClient } from './control-client.ts';
import { dataOption } from './data-option.ts';
import { megabytes, plainTable } from './words.ts';

type OperatorCommands = Pick<
  Operator,
  'list' | 'retry' | 'release' | 'discard' | 'resolve' | 'scrub' | 'receipts' | 'receipt'
>;

interface DataOptions {
  readonly data: string;
}

interface SelectOptions extends DataOptions {
  readonly destination?: string;
  readonly state?: DeliveryStateView;
  readonly all?: boolean;
}

const states = ['queued', 'delivered', 'verified', 'accepted', 'held', 'quarantined', 'conflict'] as const;

/** The data directory of a stopped gateway; only then is the whole gateway loaded. */
async function offlineGateway(data: string, options: { rebuild?: boolean } = {}): Promise<OfflineGateway> {
  const { openOffline } = await import('../gateway.ts');
  return openOffline(resolve(data), createLog('error', process.stderr), options);
}

/** The running gateway carries the command out; where none runs, this process does, on the data directory. */
async function withOperator<T>(data: string, work: (operator: OperatorCommands) => Promise<T>): Promise<T> {
  await using control = new ControlClient(join(data, 'control.sock'));
  try {
    return await work(control);
  } catch (error) {
    if (!(error instanceof GantryError) || error.code !== 'CONTROL_NOT_RUNNING') throw error;
  }
  await using offline = await offlineGateway(data);
  return await work(offline.operator);
}

/** `queue …`, `scrub`, `rebuild-ledger`, `receipts …`. */
export function addQueueCommands(program: Command): void {
  const queue = program.command('queue').description('see and decide what waits or is parked');
  addListing(queue);
  addChange(queue, 'retry', 'make waiting and parked deliveries due now', (operator, chosen) =>
    operator.retry(chosen),
  );
  addChange(queue, 'release', 'send held and quarantined deliveries after all', (operator, chosen) =>
    operator.release(chosen),
  );
  addChange(queue, 'discard', 'delete objects unsent, for good', (operator, chosen) =>
    operator.discard(chosen),
  );
  queue
    .command('resolve <objectId> <choice>')
    .description('settle a conflict: "forward" this object too, or "discard" it')
    .addOption(dataOption())
    .action(async (objectId: string, choice: string, { data }: DataOptions) => {
      if (choice !== 'forward' && choice !== 'discard') throw usage('The choice is "forward" or "discard".');
      const count = await withOperator(data, (operator) => operator.resolve(objectId, choice));
      console.log(`${count} resolved.`);
    });
  addUpkeep(program);
  addReceipts(program);
}

function addListing(queue: Command): void {
  queue
    .command('ls')
    .description('list deliveries, oldest first')
    .addOption(dataOption())
    .addOption(new Option('--state <state>', 'only those in this state').choices(states))
    .option('--destination <name>', 'only those of this destination')
    .option('--limit <n>', 'at most so many', Number, 100)
    .option('--json', 'as JSON')
    .action(async (options: SelectOptions & { limit: number; json?: boolean }) => {
      const filter = {
        state: options.state ?? null,
        destination: options.destination ?? null,
        limit: options.limit,
        after: null,
      };
      const page = await withOperator(options.data, (operator) => operator.list(filter));
      if (options.json) return console.log(JSON.stringify(page.entries, null, 2));
      const table = plainTable([
        'object',
        'destination',
        'state',
        'modality',
        'size',
        'received',
        'attempts',
        'reason',
      ]);
      for (const one of page.entries) {
        const reason = one.reason === null ? '' : `${one.reason.code}: ${one.reason.words}`;
        const from = one.modalityName ?? one.callingAeTitle ?? '';
        const received = new Date(one.receivedAt).toISOString();
        table.push([
          one.objectId,
          one.destination,
          one.state,
          from,
          megabytes(one.bytes),
          received,
          one.attempts,
          reason,
        ]);
      }
      console.log(table.toString());
      if (page.next !== null) console.log(`The first ${options.limit}; there are more (--limit).`);
    });
}

function addChange(
  queue: Command,
  name: string,
  description: string,
  change: (operator: OperatorCommands, chosen: Selection) => Promise<number>,
): void {
  queue
    .command(`${name} [objectIds...]`)
    .description(description)
    .addOption(dataOption())
    .addOption(new Option('--state <state>', 'all in this state').choices(states))
    .option('--destination <name>', 'all of this destination')
    .option('--all', 'all it applies to')
    .action(async (objectIds: string[], options: SelectOptions) => {
      const count = await withOperator(options.data, (operator) =>
        change(operator, selectionOf(objectIds, options)),
      );
      console.log(`${count} changed.`);
    });
}

function selectionOf(objectIds: readonly string[], { destination, state, all }: SelectOptions): Selection {
  if (objectIds.length > 0) return { objectIds };
  if (destination === undefined && state === undefined && all !== true) {
    throw usage('Say which: object ids, --state, --destination, or --all.');
  }
  return { ...(destination === undefined ? {} : { destination }), ...(state === undefined ? {} : { state }) };
}

function addUpkeep(program: Command): void {
  program
    .command('scrub')
    .description('read and verify every stored object; damaged ones are held and named')
    .addOption(dataOption())
    .action(async ({ data }: DataOptions) => {
      const report = await withOperator(data, (operator) => operator.scrub());
      console.log(`${report.objects} objects, ${megabytes(report.bytes)}, read in ${report.seconds} s.`);
      for (const id of report.damaged) console.log(`damaged: ${id}`);
      for (const id of report.missing) console.log(`missing: ${id}`);
      if (report.damaged.length + report.missing.length > 0) process.exitCode = 1;
    });
  program
    .command('rebuild-ledger')
    .description('rebuild the ledger from the stored objects (the gateway must be stopped)')
    .addOption(dataOption())
    .action(async ({ data }: DataOptions) => {
      await using offline = await offlineGateway(data, { rebuild: true });
      const { totals, queue } = await offline.spool.counts();
      console.log(
        `Rebuilt: ${totals.received} instances, ${queue.instances} to be proven at the archive again.`,
      );
    });
}

function addReceipts(program: Command): void {
  const receipts = program.command('receipts').description('signed records of what each study became');
  receipts
    .command('ls')
    .description('list the latest receipt of each study')
    .addOption(dataOption())
    .action(async ({ data }: DataOptions) => {
      const table = plainTable(['study', 'number', 'written', 'instances']);
      for (const one of await withOperator(data, (operator) => operator.receipts())) {
        table.push([one.studyKey, one.number, new Date(one.writtenAt).toISOString(), one.instances]);
      }
      console.log(table.toString());
    });
  receipts
    .command('show <study>')
    .description(
      'print a receipt: its signed form and what it says. It names the study: treat it as patient data',
    )
    .addOption(dataOption())
    .action(async (study: string, { data }: DataOptions) => {
      console.log(JSON.stringify(await withOperator(data, (operator) => operator.receipt(study)), null, 2));
    });
}

function usage(message: string): GantryError {
  return new GantryError({
    code: 'USAGE',
    kind: 'permanent',
    message,
    nextStep: 'See "gantry queue --help".',
  });
}
