import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { usage } from './arguments.ts';
import { ControlClient } from './control-client.ts';
import { dataOption } from './data-option.ts';
import { exitCodes } from './exit-codes.ts';
import type { DataOptions } from './operator.ts';

interface BundleOptions extends DataOptions {
  readonly output?: string;
  readonly list?: boolean;
}

/** `destination …`: what the page offers for an archive, at the console. */
export function addDestinationCommands(program: Command): void {
  const destination = program.command('destination').description('pause, resume and test an archive');
  const add = (name: string, about: string, act: (control: ControlClient, to: string) => Promise<void>) =>
    destination
      .command(name)
      .argument('<destination>', 'its name in the configuration')
      .description(about)
      .addOption(dataOption())
      .action(async (to: string, { data }: DataOptions) => {
        await using control = new ControlClient(join(data, 'control.sock'));
        await act(control, to);
      });
  add('pause', 'send nothing new to it until it is resumed, over restarts too', async (control, to) => {
    await control.pause(to);
    console.log(`${to}: paused.`);
  });
  add('resume', 'end a pause, and try a failing archive at once', async (control, to) => {
    await control.resume(to);
    console.log(`${to}: resumed.`);
  });
  add('test', 'walk the line to it hop by hop, and name the first failure. Sends no image', testLine);
}

async function testLine(control: ControlClient, destination: string): Promise<void> {
  const { ok, steps } = await control.testLine(destination);
  for (const { step, state, code, words, nextStep } of steps) {
    console.log(`${step.padEnd(8)} ${state.padEnd(8)} ${words}${state === 'failed' ? ` (${code})` : ''}`);
    if (nextStep !== null) console.log(`${' '.repeat(18)}${nextStep}`);
  }
  if (!ok) process.exitCode = exitCodes.failed;
}

/** `support-bundle`. */
export function addBundleCommand(program: Command): void {
  program
    .command('support-bundle')
    .description('one file with all that helps to help, without patient data (the gateway must be running)')
    .addOption(dataOption())
    .option('--output <file>', 'where it goes; gantry-support.tar.gz in this folder by default')
    .option('--list', 'only say what would be in it')
    .action(async ({ data, output = 'gantry-support.tar.gz', list = false }: BundleOptions) => {
      await using control = new ControlClient(join(data, 'control.sock'));
      if (list) {
        for (const { name, about } of await control.bundleContents()) console.log(`${name}\n  ${about}`);
        return;
      }
      await writeNew(output, await control.bundle());
      console.log(`Written: ${output}`);
    });
}

/** Never over a file that is there. @throws GantryError USAGE_OUTPUT */
async function writeNew(path: string, bytes: Buffer): Promise<void> {
  const file = await open(path, 'wx', 0o600).catch(() => {
    throw usage(
      'USAGE_OUTPUT',
      `The file ${path} cannot be made: it is there already, or its folder is not open to you.`,
      'Give another name with --output.',
    );
  });
  await file.writeFile(bytes);
  await file.close();
}
