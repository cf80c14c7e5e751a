import type { Command } from 'commander';
import { openDesk, print } from './fleet-desk.ts';
import { plainTable } from './words.ts';

interface Options {
  readonly reports: string;
  readonly path: readonly string[];
  readonly json?: boolean;
}

/** What technicians set on boxes: to be taken into the folder, or back. */
export function addOverrideCommands(fleet: Command): void {
  const overrides = fleet.command('overrides').description('values that were set on boxes themselves');
  withReports(
    overrides
      .command('list')
      .description('what was set on each box, beside what the folder says')
      .argument('<dir>', 'the git folder')
      .argument('[device]', 'this box only'),
  ).action(list);
  for (const [verb, about] of [
    ['adopt', 'write what was set on a box into its Device file'],
    ['clear', 'have a box forget what was set on it, with its next document'],
  ] as const)
    withReports(
      overrides.command(verb).description(about).argument('<dir>', 'the git folder').argument('<device>'),
    )
      .option('--path <pointer>', 'this value only, e.g. /site/timeZone; may be repeated', also, [])
      .action((directory: string, device: string, options: Options) =>
        change(verb, directory, device, options),
      );
}

function withReports(command: Command): Command {
  return command
    .requiredOption('--reports <folder>', 'what the boxes reported, as "gantry fleet collect" writes it')
    .option('--json', 'as JSON');
}

function also(path: string, before: readonly string[]): readonly string[] {
  return [...before, path];
}

async function reportsIn(folder: string) {
  const { readReports } = await import('../fleet/reports.ts');
  return (await readReports([folder])).reports;
}

async function list(
  directory: string,
  device: string | undefined,
  { reports, json }: Options,
): Promise<void> {
  const { listOverrides } = await import('../fleet/overrides.ts');
  const found = listOverrides(await openDesk(directory), await reportsIn(reports), device ?? null);
  if (json) {
    print({ overrides: found });
    return;
  }
  if (found.length === 0) {
    console.log('Nothing was set on a box.');
    return;
  }
  const table = await plainTable(['box', 'setting', 'on the box', 'in the folder']);
  for (const { device: box, path, onBox, inFolder } of found)
    table.push([box, path, JSON.stringify(onBox), JSON.stringify(inFolder)]);
  console.log(table.toString());
}

async function change(
  verb: 'adopt' | 'clear',
  directory: string,
  device: string,
  { reports, path, json }: Options,
): Promise<void> {
  const { adoptOverrides, clearOverrides } = await import('../fleet/overrides.ts');
  const work = verb === 'adopt' ? adoptOverrides : clearOverrides;
  const paths = await work(await openDesk(directory), await reportsIn(reports), device, path);
  if (json) {
    print({ device, [verb === 'adopt' ? 'adopted' : 'cleared']: paths });
    return;
  }
  const what = verb === 'adopt' ? 'stands in the Device file now' : 'is forgotten with the next document';
  console.log(`${paths.join(', ')} ${what}. Look at it with git, then render, sign and publish.`);
}
