import type { Log } from './base/log.ts';
import type { Gateway } from './gateway.ts';
import { serviceManager } from './health/service-manager.ts';
import { Watchdog } from './health/watchdog.ts';

/** Tells the systemd that started this process how the gateway is. @returns says that it ends */
export function startWatchdog(gateway: Gateway, log: Log): () => Promise<void> {
  const manager = serviceManager();
  if (manager === null) return async () => undefined;
  const words = async (): Promise<string> => {
    const { verdict, reason } = await gateway.status();
    return `${verdict}: ${reason}`.replaceAll(/\s+/g, ' ');
  };
  const watchdog = new Watchdog({ manager, check: () => gateway.selfCheck(), words, log });
  watchdog.start();
  return () => watchdog.stop();
}
