import type { Command } from 'commander';
import { parseStudyKey } from './arguments.ts';
import { dataOption } from './data-option.ts';
import { exitCodes } from './exit-codes.ts';
import { type DataOptions, offlineGateway, withOperator } from './operator.ts';
import { megabytes, plainTable } from './words.ts';

/** `scrub`, `rebuild-ledger`, `wipe`. */
export function addUpkeepCommands(program: Command): void {
  program
    .command('scrub')
    .description('read and verify every stored object; damaged ones are held and named')
    .addOption(dataOption())
    .action(async ({ data }: DataOptions) => {
      const report = await withOperator(data, (operator) => operator.scrub());
      console.log(`${report.objects} objects, ${megabytes(report.bytes)}, read in ${report.seconds} s.`);
      for (const id of report.damaged) console.log(`damaged: ${id}`);
      for (const id of report.missing) console.log(`missing: ${id}`);
      if (report.damaged.length + report.missing.length > 0) process.exitCode = exitCodes.failed;
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
  program
    .command('wipe')
    .description('delete all images, keys and settings for good, after asking (the gateway must be stopped)')
    .addOption(dataOption())
    .action(async (options: DataOptions) => (await import('./wipe.ts')).wipeData(options));
}

/** `compression …`. */
export function addCompressionCommands(program: Command): void {
  program
    .command('compression')
    .description('what is known of the compressed forms')
    .command('forget')
    .argument('[destination]', 'its name in the configuration; without one: all')
    .description('forget which compressed forms a destination refused or took, and learn it anew')
    .addOption(dataOption())
    .action(async (destination: string | undefined, { data }: DataOptions) => {
      const count = await withOperator(data, (operator) => operator.forgetAbilities(destination ?? null));
      console.log(`${count} forgotten.`);
    });
}

/** `receipts …`. */
export function addReceiptCommands(program: Command): void {
  const receipts = program.command('receipts').description('signed records of what each study became');
  receipts
    .command('ls')
    .description('list the latest receipt of each study')
    .addOption(dataOption())
    .action(async ({ data }: DataOptions) => {
      const table = await plainTable(['study', 'number', 'written', 'instances']);
      for (const one of await withOperator(data, (operator) => operator.receipts())) {
        table.push([one.studyKey, one.number, new Date(one.writtenAt).toISOString(), one.instances]);
      }
      console.log(table.toString());
    });
  receipts
    .command('show')
    .argument('<study>', 'its key, from "receipts ls"', parseStudyKey)
    .description(
      'print a receipt: its signed form and what it says. It names the study: treat it as patient data',
    )
    .addOption(dataOption())
    .action(async (study: string, { data }: DataOptions) => {
      console.log(JSON.stringify(await withOperator(data, (operator) => operator.receipt(study)), null, 2));
    });
}
