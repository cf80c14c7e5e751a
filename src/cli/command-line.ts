import { Command, Option } from 'commander';
import { GantryError } from '../base/errors.ts';
import { version } from '../base/version.ts';
import { dataOption } from './data-option.ts';
import { addQueueCommands } from './queue-commands.ts';

/** Exit codes: 0 ok, 1 runtime failure, 2 usage, invalid configuration or locked data directory. */
export const exitCodes = { ok: 0, failed: 1, usage: 2 } as const;

const usageErrors = /^(CONFIG_|DATA_LOCKED|USAGE)/;

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
  if (!(error instanceof GantryError)) {
    console.error(error);
    return exitCodes.failed;
  }
  console.error(`${error.code}: ${error.message}\n${error.nextStep}`);
  return usageErrors.test(error.code) ? exitCodes.usage : exitCodes.failed;
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
    .action(async (options) => (await import('./run.ts')).run(options));

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
    .description('run a small DICOMweb archive to try things on; not for clinical use')
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

  addQueueCommands(program);

  program
    .command('version')
    .description('print the version')
    .action(() => console.log(version));
  return program;
}

function parsePort(text: string): number {
  const port = Number(text);
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port;
  throw new GantryError({
    code: 'USAGE_PORT',
    kind: 'permanent',
    message: 'The port is not a number from 0 to 65535.',
    nextStep: 'Give a free TCP port, e.g. --port 8042.',
  });
}
