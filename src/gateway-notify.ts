import { openNote, type Store } from './gateway-store.ts';
import { scheduleDigest } from './health/digest.ts';
import { noticeChannels } from './health/notice-channels.ts';
import { Notifier, toldNote } from './health/notifier.ts';
import type { StatusReport } from './health/status.ts';

/** Tells people of trouble, where that is configured. @returns what ends it; null where nobody is told */
export async function startNotifier(
  store: Store,
  status: () => Promise<StatusReport>,
): Promise<(() => Promise<void>) | null> {
  const { notify, site } = store.current.config;
  const channels = noticeChannels(notify, store.secrets);
  if (channels.length === 0) return null;
  const { clock, log } = store;
  const note = await openNote(store, 'told', toldNote);
  const notifier = new Notifier({ status, channels, note, clock, log, holdMs: notify.holdSeconds * 1000 });
  notifier.start();
  if (notify.digest === null) return async () => notifier.stop();
  const endDigest = scheduleDigest({ schedule: notify.digest, timeZone: site.timeZone, notifier, log });
  return async () => {
    await endDigest();
    await notifier.stop();
  };
}
