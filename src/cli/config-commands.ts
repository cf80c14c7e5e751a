import { join } from 'node:path';
import type { Command } from 'commander';
import { checkConfigText, formatProblems } from '../config/check.ts';
import { usage } from './arguments.ts';
import { readConfigFile } from './config-file.ts';
import { ControlClient } from './control-client.ts';
import { dataOption } from './data-option.ts';
import { exitCodes } from './exit-codes.ts';
import type { DataOptions } from './operator.ts';

interface ApplyOptions extends DataOptions {
  readonly confirm?: number;
}

/** `config …`: the configuration of the running gateway. */
export function addConfigCommands(program: Command): void {
  const config = program
    .command('config')
    .description('show and change the configuration of the running gateway');
  const add = (name: string, about: string, act: (control: ControlClient) => Promise<void>) =>
    config
      .command(name)
      .description(about)
      .addOption(dataOption())
      .action(async ({ data }: DataOptions) => {
        await using control = new ControlClient(join(data, 'control.sock'));
        await act(control);
      });
  config
    .command('apply')
    .argument('[file]', 'a whole configuration; without one: that of central IT which waits for its time')
    .description(
      'try a configuration: it is kept once nothing is worse than before, and goes back by itself if not',
    )
    .addOption(dataOption())
    .option(
      '--confirm <time>',
      'go back unless "gantry config confirm" is given within this time, e.g. 10m',
      parseTime,
    )
    .action(apply);
  add('show', 'the configuration in use, without secrets', async (control) => {
    console.log(JSON.stringify(await control.config(), null, 2));
  });
  add('confirm', 'keep the configuration that is being tried', async (control) => {
    await control.settleConfig('confirm');
    console.log('Kept.');
  });
  add('rollback', 'go back to the configuration before the one that is being tried', async (control) => {
    await control.settleConfig('rollback');
    console.log('The configuration before is in use.');
  });
  add('retry', 'let a configuration that was refused or went back be tried again', async (control) => {
    await control.settleConfig('retry');
    console.log('It will be tried when it comes again.');
  });
  add('release', 'give up AE titles and ports of before that devices may still call', async (control) => {
    console.log(`${await control.releaseAliases()} given up.`);
  });
  add('history', 'which configurations were tried, and what became of them', async (control) => {
    for (const { at, source, generation, phase, error } of await control.configHistory()) {
      const what = generation === null ? source : `${source} ${generation}`;
      const why = error === null ? '' : `  ${error.code}: ${error.message}`;
      console.log(`${new Date(at).toISOString()}  ${what}  ${phase}${why}`);
    }
  });
}

async function apply(file: string | undefined, { data, confirm }: ApplyOptions): Promise<void> {
  if (file === undefined) {
    await using control = new ControlClient(join(data, 'control.sock'));
    await control.settleConfig('apply-waiting');
    return tellOutcome(control);
  }
  const text = await readConfigFile(file);
  const checked = checkConfigText(text);
  if (!checked.ok) {
    console.error(formatProblems(file, checked.problems));
    process.exitCode = exitCodes.usage;
    return;
  }
  await using control = new ControlClient(join(data, 'control.sock'));
  const { confirmUntil } = await control.applyConfig(text, confirm ?? null);
  if (confirm !== undefined && confirmUntil !== null) {
    console.log(
      `In use until ${new Date(confirmUntil).toISOString()}: keep it with "gantry config confirm".`,
    );
    return;
  }
  await tellOutcome(control);
}

async function tellOutcome(control: ControlClient): Promise<void> {
  await control.configSettled();
  const [last] = await control.configHistory();
  if (last?.error) {
    console.error(`${last.error.code}: ${last.error.message}\nThe configuration before is in use.`);
    process.exitCode = exitCodes.failed;
    return;
  }
  console.log('In use and kept.');
}

const secondsOf = { s: 1, m: 60, h: 3600 } as const;

/** @throws GantryError USAGE_TIME */
function parseTime(text: string): number {
  const [, digits, unit = 's'] = /^(\d{1,6})([smh])?$/.exec(text) ?? [];
  const seconds = Number(digits) * secondsOf[unit as keyof typeof secondsOf];
  if (seconds >= 30 && seconds <= 3600) return seconds;
  throw usage('USAGE_TIME', 'The time is not one from 30 s to 1 h.', 'Give e.g. --confirm 10m.');
}
