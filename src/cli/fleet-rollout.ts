import type { Command } from 'commander';
import type { RolloutReport } from '../fleet/rollouts.ts';
import { openDesk, print } from './fleet-desk.ts';
import { type UnlockOptions, vaultOpener, withUnlock } from './fleet-secrets.ts';
import { plainTable } from './words.ts';

interface RolloutOptions extends UnlockOptions {
  readonly reports?: string;
  readonly json?: boolean;
  readonly everywhere?: boolean;
}

const verbs = {
  start: 'note which boxes get which content, in which wave',
  step: 'do what is due now; for cron',
  pause: 'give it to no further box for now',
  resume: 'go on; failures so far count as looked at',
} as const;

/** A change that reaches the boxes wave by wave; its state is a file of the git folder. */
export function addRolloutCommands(fleet: Command): void {
  const rollout = fleet.command('rollout').description('bring a change to the boxes wave by wave');
  for (const verb of ['start', 'step', 'pause', 'resume'] as const) {
    const command = rollout.command(verb).description(verbs[verb]).argument('<dir>').argument('<id>');
    withReports(verb === 'step' ? withUnlock(command) : command).action(
      async (directory: string, id: string, options: RolloutOptions) => {
        const { rollouts, reports } = await open(directory, options);
        await tell([await rollouts[verb](id, reports)], options);
      },
    );
  }
  withReports(
    rollout
      .command('abort')
      .description('end it; boxes that have not applied it get their old content as a new generation')
      .argument('<dir>')
      .argument('<id>')
      .option('--everywhere', 'boxes that have applied it as well'),
  ).action(async (directory: string, id: string, options: RolloutOptions) => {
    const { rollouts, reports } = await open(directory, options);
    await tell([await rollouts.abort(id, reports, options.everywhere ?? false)], options);
  });
  withReports(rollout.command('status').description('where each rollout stands').argument('<dir>')).action(
    async (directory: string, options: RolloutOptions) => {
      const { rollouts, reports } = await open(directory, options);
      await tell(await rollouts.status(reports), options);
    },
  );
}

function withReports(command: Command): Command {
  return command
    .option('--reports <folder>', 'what the boxes reported, as "gantry fleet collect" writes it')
    .option('--json', 'as JSON');
}

async function open(directory: string, options: RolloutOptions) {
  const { reports: folder } = options;
  const { Rollouts } = await import('../fleet/rollouts.ts');
  const { readReports } = await import('../fleet/reports.ts');
  const { reports } = await readReports(folder === undefined ? [] : [folder]);
  const openVault = vaultOpener(directory, options);
  return { rollouts: new Rollouts(await openDesk(directory), new Date(), openVault), reports };
}

async function tell(rollouts: readonly RolloutReport[], { json }: RolloutOptions): Promise<void> {
  if (json) {
    print({ rollouts });
    return;
  }
  const table = await plainTable([
    'rollout',
    'phase',
    'wave',
    'applied',
    'at it',
    'failed',
    'offline',
    'waiting',
    '',
  ]);
  for (const { id, phase, wave, waves, counts, words } of rollouts) {
    const { applied, given, failed, offline, waiting } = counts;
    table.push([id, phase, `${wave} of ${waves}`, applied, given, failed, offline, waiting, words]);
  }
  console.log(table.toString());
  const changed = rollouts.flatMap((rollout) => rollout.changed);
  if (changed.length > 0)
    console.log(`${changed.length} boxes have a new generation: render, sign and publish.`);
}
