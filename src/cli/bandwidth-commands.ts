import { join } from 'node:path';
import type { Command } from 'commander';
import { parseBandwidth } from './arguments.ts';
import { ControlClient } from './control-client.ts';
import { dataOption } from './data-option.ts';
import type { DataOptions } from './operator.ts';
import { limitWords, measuredWords, plainTable } from './words.ts';

interface ShowOptions extends DataOptions {
  readonly json?: boolean;
}

/** `bandwidth …`: only a running gateway has a line to limit. */
export function addBandwidthCommands(program: Command): void {
  const bandwidth = program
    .command('bandwidth')
    .description('how fast images are sent, and how fast they may be');
  bandwidth
    .command('show', { isDefault: true })
    .description('the limit in force for each destination, and what was measured')
    .addOption(dataOption())
    .option('--json', 'as JSON')
    .action(async ({ data, json }: ShowOptions) => {
      await using control = controlOf(data);
      const views = await control.bandwidth();
      if (json === true) return console.log(JSON.stringify(views, null, 2));
      const table = await plainTable(['destination', 'limit', 'measured']);
      for (const view of views) {
        table.push([view.destination, limitWords(view), measuredWords(view.measuredMbitPerSecond)]);
      }
      console.log(table.toString());
    });
  bandwidth
    .command('set')
    .argument('<destination>', 'its name in the configuration')
    .argument(
      '<mbit>',
      'megabits a second; 0 sends nothing, "unlimited" takes every limit away',
      parseBandwidth,
    )
    .description('limit a destination at once, until it is cleared or the gateway restarts')
    .addOption(dataOption())
    .action(async (destination: string, mbitPerSecond: number | null, { data }: DataOptions) => {
      await using control = controlOf(data);
      await control.limitBandwidth(destination, mbitPerSecond);
      await tell(control, destination);
    });
  bandwidth
    .command('clear')
    .argument('<destination>', 'its name in the configuration')
    .description('go by the configuration again')
    .addOption(dataOption())
    .action(async (destination: string, { data }: DataOptions) => {
      await using control = controlOf(data);
      await control.clearBandwidth(destination);
      await tell(control, destination);
    });
}

function controlOf(data: string): ControlClient {
  return new ControlClient(join(data, 'control.sock'));
}

async function tell(control: ControlClient, destination: string): Promise<void> {
  const view = (await control.bandwidth()).find((one) => one.destination === destination);
  if (view !== undefined) console.log(`${destination}: ${limitWords(view)}.`);
}
