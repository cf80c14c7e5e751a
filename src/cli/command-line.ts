import { inspect } from 'node:util';
import { Command, Option } from 'commander';
import { type FailureText, GantryError, systemErrorCode } from '../base/errors.ts';
import { withoutUids } from '../base/log.ts';
import { version } from '../base/version.ts';
import { parsePort } from './arguments.ts';
import { addAuthCommands } from './auth-commands.ts';
import { addBandwidthCommands } from './bandwidth-commands.ts';
import { addConfigCommands } from './config-commands.ts';
import { dataOption } from './data-option.ts';
import { addEnrollCommands } from './enroll-commands.ts';
import { exitCodes } from './exit-codes.ts';
import { addFleetCommands } from './fleet-commands.ts';
import { addHelperCommand } from './helper-command.ts';
import { addPaperCommands } from './paper-commands.ts';
import { addQueueCommands } from './queue-commands.ts';
import { addBundleCommand, addDestinationCommands } from './tool-commands.ts';
import { addCompressionCommands, addReceiptCommands, addUpkeepCommands } from './upkeep-commands.ts';

const usageErrors = /^(?:CONFIG_|DATA_|USAGE|FLEET_FOLDER_|CONTROL_BAD_COMMAND$)/;

/** Runs one command; sets the exit code. */
export async function runCommandLine(argv: readonly string[]): Promise<void> {
  const program = createProgram();
  try {
    await program.parseAsync(argv);
  } catch (error) {
    process.exitCode = tellFailure(error);
  }
}

/** Says what went wrong and what to do next. @returns the exit code */
function tellFailure(error: unknown): number {
  const { code, message, nextStep } = error instanceof GantryError ? error : internal(error);
  console.error(`${code}: ${message}\n${nextStep}`);
  if (process.env['GANTRY_DEBUG']) console.error(withoutUids(inspect(error)));
  return usageErrors.test(code) ? exitCodes.usage : exitCodes.failed;
}

/** What nobody put into words: the system's own, and where to look. */
function internal(error: unknown): FailureText {
  const { name, message } = error instanceof Error ? error : new Error(String(error));
  return {
    code: 'INTERNAL',
    kind: 'permanent',
    message: `Gantry failed (${systemErrorCode(error) ?? name}).\n${withoutUids(message)}`,
    nextStep:
      'Check the disk and who owns the files named here. If that is no help, set GANTRY_DEBUG=1, try again and report what it prints.',
  };
}

// Commands load what they need when they run: `gantry status` is not to wait for the whole gateway.
function createProgram(): Command {
  const program = new Command('gantry')
    .description('Edge gateway for DICOM: durable, encrypted intake; proven delivery to a cloud archive.')
    .version(version, '--version')
    .showHelpAfterError()
    .exitOverride((error) => process.exit(error.exitCode === 0 ? exitCodes.ok : exitCodes.usage));

  program
    .command('run')
    .description('run the gateway until it is told to stop (SIGTERM, Ctrl-C)')
    .addOption(dataOption())
    .option('--config <file>', 'configuration to take over, on first start or when it has changed')
    .addOption(
      new Option('--log-level <level>', 'how much to log')
        .choices(['debug', 'info', 'warn', 'error'])
        .default('info'),
    )
    .action(async (options) => {
      (await import('./lean-process.ts')).continueLean();
      await (await import('./run.ts')).run(options);
    });

  program
    .command('demo')
    .description(
      'run a gateway, a sandbox archive and a phantom modality on this machine, and watch them work',
    )
    .option('--once', 'end after one round: exit 0 if all of it was verified')
    .action(async (options) => {
      process.exitCode = await (await import('./demo.ts')).demo(options);
    });

  program
    .command('sandbox-archive')
    .description(
      'run a small DICOMweb archive to try things on. It keeps what it receives unencrypted: no patient data',
    )
    .requiredOption('--data <dir>', 'where it keeps what it receives')
    .option('--port <port>', 'TCP port', parsePort, 8042)
    .option('--host <address>', 'IP address to listen on', '127.0.0.1')
    .option('--token-file <file>', 'file with a bearer token every request must carry')
    .action(async (options) => (await import('./sandbox.ts')).sandbox(options));

  program
    .command('check-config')
    .description('check a configuration file and say what is wrong with it, where, and what to write instead')
    .argument('<file>')
    .action(async (file: string) => {
      process.exitCode = await (await import('./check-config.ts')).checkConfig(file);
    });

  program
    .command('status')
    .description('ask the running gateway how it is')
    .addOption(dataOption())
    .option('--json', 'the whole report as JSON')
    .action(async (options) => (await import('./status.ts')).status(options));

  program
    .command('self-check')
    .description('have the running gateway call itself by C-ECHO, write to its spool and ask its ledger')
    .addOption(dataOption())
    .action(async (options) => (await import('./self-check.ts')).selfCheck(options));

  addConfigCommands(program);
  addQueueCommands(program);
  addBandwidthCommands(program);
  addCompressionCommands(program);
  addDestinationCommands(program);
  addUpkeepCommands(program);
  addAuthCommands(program);
  addReceiptCommands(program);
  addBundleCommand(program);
  addFleetCommands(program);
  addEnrollCommands(program);
  addHelperCommand(program);
  addPaperCommands(program);

  program
    .command('version')
    .description('print the version')
    .action(() => console.log(version));
  return program;
}
