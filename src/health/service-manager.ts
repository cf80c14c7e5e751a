import { execFile } from 'node:child_process';
import { GantryError } from '../base/errors.ts';

/** Tells the service manager that started this process how it is (sd_notify(3)). */
export interface ServiceManager {
  /** Within so long it wants to hear that the process is alive; null where it does not. */
  readonly watchdogMs: number | null;
  /** @param messages such as `READY=1`. @throws GantryError SERVICE_NOTIFY */
  tell(...messages: readonly string[]): Promise<void>;
}

const tellMsMax = 10_000;

/**
 * The systemd that started this process, or null where it was started otherwise. Node knows no datagram sockets of
 * Unix, so `systemd-notify` speaks; the unit must have `NotifyAccess=all`.
 */
export function serviceManager(env: NodeJS.ProcessEnv = process.env): ServiceManager | null {
  const { NOTIFY_SOCKET, WATCHDOG_USEC = '', WATCHDOG_PID = String(process.pid) } = env;
  if (NOTIFY_SOCKET === undefined) return null;
  const micros = /^\d{1,15}$/.test(WATCHDOG_USEC) ? Number(WATCHDOG_USEC) : 0;
  const watched = micros > 0 && WATCHDOG_PID === String(process.pid);
  return {
    watchdogMs: watched ? micros / 1000 : null,
    tell: (...messages) =>
      new Promise((resolve, reject) => {
        execFile('systemd-notify', [...messages], { timeout: tellMsMax }, (cause) =>
          cause === null ? resolve() : reject(unheard(cause)),
        );
      }),
  };
}

function unheard(cause: Error): GantryError {
  return new GantryError(
    {
      code: 'SERVICE_NOTIFY',
      kind: 'transient',
      message: 'The service manager could not be told how the gateway is (systemd-notify failed).',
      nextStep: 'Check that systemd-notify is installed and that the unit says NotifyAccess=all.',
    },
    { cause },
  );
}
