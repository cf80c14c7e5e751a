import { createTask } from 'node-cron';
import { cronLogger } from './base/cron-logger.ts';
import { openNote, type Store } from './gateway-store.ts';
import { noticeChannels } from './health/notice-channels.ts';
import { Notifier, toldNote } from './health/notifier.ts';
import type { StatusReport } from './health/status.ts';

/** Tells people of trouble, where that is configured, until the stack ends it. */
export async function startNotifier(
  store: Store,
  status: () => Promise<StatusReport>,
  stack: AsyncDisposableStack,
): Promise<void> {
  const { notify, site } = store.current.config;
  const channels = noticeChannels(notify);
  if (channels.length === 0) return;
  const { clock, log } = store;
  const note = await openNote(store, 'told', toldNote);
  const notifier = new Notifier({ status, channels, note, clock, log, holdMs: notify.holdSeconds * 1000 });
  notifier.start();
  stack.defer(() => notifier.stop());
  if (notify.digest === null) return;
  const options = { timezone: site.timeZone, logger: cronLogger(log), unref: true };
  const task = createTask(notify.digest, () => notifier.digest(), options);
  void task.start();
  stack.defer(async () => {
    await task.destroy();
  });
}
