import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { ConfigTools } from './config-tools.ts';
import { parse } from './control-parse.ts';

/** A document of the configuration may be longer than other commands. */
const bodyBytesMax = 4 * 1024 * 1024;

/** `config …` at the console. @param note writes it down, durably */
export function addConfigCalls(
  app: FastifyInstance,
  config: ConfigTools,
  note: (event: string) => Promise<void>,
): void {
  const { min, max } = config.confirmSeconds;
  const application = z.strictObject({
    text: z.string(),
    confirmSeconds: z.number().min(min).max(max).nullable(),
  });
  app.get('/config', () => config.show());
  app.get('/config/history', () => ({ attempts: config.history() }));
  app.post('/config/apply', { bodyLimit: bodyBytesMax }, async ({ body }) => {
    const { text, confirmSeconds } = parse(application, body);
    await note('CONFIG_APPLIED');
    return config.apply(text, confirmSeconds);
  });
  app.post('/config/confirm', async () => {
    await config.confirm();
    await note('CONFIG_CONFIRMED');
    return {};
  });
  app.post('/config/rollback', async () => {
    await config.rollback();
    await note('CONFIG_TAKEN_BACK');
    return {};
  });
  app.post('/config/apply-waiting', async () => {
    await note('CONFIG_APPLIED');
    await config.applyWaiting();
    return {};
  });
  app.post('/config/retry', async () => {
    await config.retry();
    await note('CONFIG_RETRY');
    return {};
  });
  app.post('/config/release', async () => {
    const count = await config.release();
    await note('CONFIG_RELEASED');
    return { count };
  });
}
