import { type Command, Option } from 'commander';
import type { DeliveryStateView, QueueEntryView, Selection } from '../web/operator.ts';
import { parseAfter, parseLimit, parseObjectId, usage } from './arguments.ts';
import { dataOption } from './data-option.ts';
import { exitCodes } from './exit-codes.ts';
import { type DataOptions, type OperatorCommands, withOperator } from './operator.ts';
import { megabytes, plainTable } from './words.ts';

interface SelectOptions extends DataOptions {
  readonly destination?: string;
  readonly state?: DeliveryStateView;
  readonly all?: boolean;
  readonly to?: string;
}

interface ListOptions extends DataOptions {
  readonly destination?: string;
  readonly state?: DeliveryStateView;
  readonly limit: number;
  readonly after?: string;
  readonly json?: boolean;
}

interface Change {
  readonly name: 'retry' | 'release' | 'discard';
  readonly description: string;
  /** Whether it may be done to everything it applies to; otherwise the operator has to say to what. */
  readonly mayAll: boolean;
}

const states = ['queued', 'delivered', 'verified', 'accepted', 'held', 'quarantined', 'conflict'] as const;

const changes: readonly Change[] = [
  {
    name: 'retry',
    description: 'make waiting and parked deliveries, and the proof of delivered ones, due now',
    mayAll: true,
  },
  { name: 'release', description: 'send held and quarantined deliveries after all', mayAll: true },
  { name: 'discard', description: 'delete objects unsent, for good', mayAll: false },
];

/** `queue …`. */
export function addQueueCommands(program: Command): void {
  const queue = program.command('queue').description('see and decide what waits or is parked');
  addListing(queue);
  for (const change of changes) addChange(queue, change);
  queue
    .command('hurry')
    .argument('<objectIds...>', 'an object of each study, from "queue ls"')
    .description('send the whole studies of these objects before all else (stat)')
    .addOption(dataOption())
    .action(async (objectIds: string[], { data }: DataOptions) => {
      const ids = objectIds.map(parseObjectId);
      tellCount(await withOperator(data, (operator) => operator.hurry(ids)), 'hurried', true);
    });
  queue
    .command('resolve')
    .argument('<objectId>', 'the object in conflict, from "queue ls"', parseObjectId)
    .argument('<choice>', '"forward" or "discard"')
    .description('settle a conflict: "forward" this object too, or "discard" it')
    .addOption(dataOption())
    .action(async (objectId: string, choice: string, { data }: DataOptions) => {
      if (choice !== 'forward' && choice !== 'discard') {
        const message = 'The choice is neither "forward" nor "discard".';
        throw usage('USAGE_CHOICE', message, 'Write "forward" or "discard" after the object id.');
      }
      const count = await withOperator(data, (operator) => operator.resolve(objectId, choice));
      tellCount(count, 'resolved', true);
    });
}

function addListing(queue: Command): void {
  queue
    .command('ls')
    .description('list deliveries, oldest first')
    .addOption(dataOption())
    .addOption(new Option('--state <state>', 'only those in this state').choices(states))
    .option('--destination <name>', 'only those of this destination')
    .option('--limit <n>', 'at most so many, 1 to 1000', parseLimit, 100)
    .option(
      '--after <delivery>',
      'only those after this one: what a listing with more to come ends with',
      parseAfter,
    )
    .option('--json', 'as JSON')
    .action(async ({ data, state, destination, limit, after, json }: ListOptions) => {
      const filter = {
        state: state ?? null,
        destination: destination ?? null,
        limit,
        after: after ?? null,
      };
      const { entries, next } = await withOperator(data, (operator) => operator.list(filter));
      console.log(json === true ? JSON.stringify(entries, null, 2) : await tableOf(entries));
      // Beside what a script reads.
      if (next !== null) console.error(`There are more: list on with --after ${next}`);
    });
}

async function tableOf(entries: readonly QueueEntryView[]): Promise<string> {
  const head = ['object', 'destination', 'state', 'modality', 'size', 'received', 'attempts', 'reason'];
  const table = await plainTable(head);
  for (const one of entries) {
    table.push([
      one.objectId,
      one.destination,
      one.state,
      one.modalityName ?? one.callingAeTitle ?? '',
      megabytes(one.bytes),
      new Date(one.receivedAt).toISOString(),
      one.attempts,
      one.reason === null ? '' : `${one.reason.code}: ${one.reason.words}`,
    ]);
  }
  return table.toString();
}

function addChange(queue: Command, change: Change): void {
  const { name, description, mayAll } = change;
  const command = queue
    .command(name)
    .argument('[objectIds...]', 'these objects, from "queue ls"')
    .description(description)
    .addOption(dataOption())
    .addOption(new Option('--state <state>', 'all in this state').choices(states))
    .option('--destination <name>', 'all of this destination');
  if (mayAll) command.option('--all', 'all it applies to');
  if (name === 'release')
    command.option('--to <name>', 'send what a removed destination was to get to this one instead');
  command.action(async (objectIds: string[], options: SelectOptions) => {
    const selection = selectionOf(change, objectIds, options);
    const { to } = options;
    const count = await withOperator(options.data, (operator: OperatorCommands) =>
      name === 'release' ? operator.release(selection, to) : operator[name](selection),
    );
    tellCount(count, 'changed', objectIds.length > 0);
  });
}

function selectionOf(
  { name, mayAll }: Change,
  objectIds: readonly string[],
  options: SelectOptions,
): Selection {
  const { destination, state, all = false } = options;
  const filtered = destination !== undefined || state !== undefined || all;
  const help = `See "gantry queue ${name} --help".`;
  if (objectIds.length > 0) {
    if (filtered) throw usage('USAGE', 'Give either object ids or options that choose, not both.', help);
    return { objectIds: objectIds.map(parseObjectId) };
  }
  const ways = mayAll
    ? 'object ids, --state, --destination, or --all'
    : 'object ids, --state or --destination';
  if (!filtered) throw usage('USAGE', `Say which: ${ways}.`, help);
  return { ...(destination === undefined ? {} : { destination }), ...(state === undefined ? {} : { state }) };
}

/** @param named objects were named one by one: then to find none of them is a failure */
function tellCount(count: number, done: 'changed' | 'resolved' | 'hurried', named: boolean): void {
  if (count > 0) return console.log(`${count} ${done}.`);
  if (!named) return console.log('Nothing matched: see `gantry queue ls`.');
  console.error('Nothing matched: see `gantry queue ls`.');
  process.exitCode = exitCodes.failed;
}
