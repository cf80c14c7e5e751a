import type { Command } from 'commander';
import { createLog } from '../base/log.ts';
import { usage } from './arguments.ts';
import { exitCodes } from './exit-codes.ts';

interface HelperCommandOptions {
  readonly state: string;
  readonly log: string;
  readonly updates: string;
  readonly socket?: string;
  readonly revert?: boolean;
}

/** Started by systemd for a request, it ends again when nothing more is asked for: it takes no memory meanwhile. */
const idleMs = 30_000;
/** The first descriptor that systemd hands over (sd_listen_fds(3)). */
const firstDescriptor = 3;

/** `helper`: what root does for the gateway. */
export function addHelperCommand(program: Command): void {
  program
    .command('helper')
    .description(
      'what root does for the gateway: network, time zone, reboot, update, blink (started by systemd)',
    )
    .option('--state <dir>', 'kept over restarts', process.env['STATE_DIRECTORY'] ?? '/var/lib/gantry-helper')
    .option('--log <dir>', 'its own record', process.env['LOGS_DIRECTORY'] ?? '/var/log/gantry-helper')
    .option('--updates <dir>', 'where updates lie', '/var/lib/gantry/updates')
    .option('--socket <path>', 'listen there, where systemd has not opened a socket')
    .option('--revert', 'only put back a network that nobody confirmed, and end')
    .action(helper);
}

async function helper({
  state,
  log: logDirectory,
  updates,
  socket,
  revert,
}: HelperCommandOptions): Promise<void> {
  const { Helper } = await import('../helper/helper.ts');
  const log = createLog('info');
  const one = new Helper({ stateDirectory: state, logDirectory, updatesDirectory: updates, log });
  if (await one.revertLeftOver())
    log.warn({ event: 'reverted' }, 'a network that nobody confirmed was put back');
  if (revert === true) return;
  const { HelperServer } = await import('../helper/server.ts');
  const { LISTEN_PID, LISTEN_FDS } = process.env;
  const given = LISTEN_PID === String(process.pid) && LISTEN_FDS === '1';
  const done = Promise.withResolvers<void>();
  const server = new HelperServer(one, log, given ? { ms: idleMs, call: () => done.resolve() } : null);
  if (given) await server.start({ fd: firstDescriptor });
  else if (socket !== undefined) await server.start({ path: socket });
  else throw noSocket();
  log.info({ event: 'ready' }, 'the helper listens');
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => done.resolve());
  await done.promise;
  await server.stop();
  await one
    .stop()
    .catch((error: unknown) => log.error({ code: 'HELPER_STOP', error }, 'not all was put back'));
  process.exit(exitCodes.ok);
}

function noSocket(): Error {
  return usage(
    'USAGE_SOCKET',
    'Nobody said where the helper is to listen.',
    'Have systemd start it (gantry-helper.socket), or give --socket PATH.',
  );
}
