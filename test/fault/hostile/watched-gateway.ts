import { once } from 'node:events';
import { join } from 'node:path';
import { type GatewayProcess, launchGateway } from '../../fixtures/gateway-process.ts';
import type { WatchQuestion, WatchReport } from './watch.ts';

export interface WatchedGateway extends GatewayProcess {
  readonly watched: (question?: Partial<WatchQuestion>) => Promise<WatchReport>;
}

/** Short, since some sessions wait for them; long enough that a busy machine does not make an honest session late. */
const limits = { associateWaitMs: 2000, acseMs: 2000, idleMs: 3000, rateWindowMs: 3000 };

/**
 * The gateway as it ships, in a process of its own with a spool on a real disk, watched. Its archive cannot be
 * reached, so everything it took is still in the spool in the end.
 * @param wrapper a command that runs it, e.g. strace
 */
export async function startWatched(
  dataDirectory: string,
  moreLimits: object = {},
  wrapper: readonly string[] = [],
): Promise<WatchedGateway> {
  const config = {
    intake: { limits: { ...limits, ...moreLimits } },
    destinations: { cloud: { type: 'stow', url: 'http://127.0.0.1:9/studies' } },
  };
  const gateway = await launchGateway(dataDirectory, config, {
    options: ['--log-level', 'debug'],
    nodeOptions: ['--import', join(import.meta.dirname, 'watch.ts')],
    channel: true,
    wrapper,
  });
  return {
    ...gateway,
    watched: async (question = {}) => {
      const answered = once(gateway.process, 'message');
      gateway.process.send({ collect: false, restart: false, ...question } satisfies WatchQuestion);
      const [report] = await answered;
      return report as WatchReport;
    },
  };
}

/** All that a gateway tells people and machines about itself, for a look whether it tells too much. */
export async function everythingTold(gateway: GatewayProcess): Promise<string> {
  const paths = ['/api/v1/status', '/metrics', '/', '/livez', '/readyz'];
  const texts = paths.map(async (path) => (await fetch(`http://127.0.0.1:${gateway.webPort}${path}`)).text());
  return [...(await Promise.all(texts)), ...gateway.lines].join('\n');
}
