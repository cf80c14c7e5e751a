import { createPublicKey } from 'node:crypto';
import type { Config } from './config/schema.ts';
import { type LivePart, replaceable } from './gateway-live.ts';
import { defaultQuietMs, type Store } from './gateway-store.ts';
import { createReceiptSigner } from './proof/receipt.ts';
import { ReceiptWriter } from './proof/receipt-writer.ts';
import { Retention } from './proof/retention.ts';

/** Writes a receipt for each study that has settled. */
export function startReceipts(store: Store, stack: AsyncDisposableStack): Promise<LivePart> {
  const { spool, clock, log, keyring, receipts } = store;
  const about = { name: 'receipts', settings: (config: Config) => [config.site.name, quietMsMax(config)] };
  return replaceable(about, store.current.config, stack, (config) => {
    const writer = new ReceiptWriter({
      spool,
      store: receipts,
      signer: createReceiptSigner(keyring.signingKey, keyring.boxId),
      publicKey: createPublicKey(keyring.signingKey),
      site: config.site.name,
      box: keyring.boxId,
      quietMsMax: quietMsMax(config),
      clock,
      log,
    });
    writer.start();
    return () => writer.stop();
  });
}

function quietMsMax({ modalities }: Config): number {
  return Math.max(defaultQuietMs, ...Object.values(modalities).map((one) => one.settleSeconds * 1000));
}

/** Deletes what is proven and past its time. */
export function startRetention(
  { spool, clock, log, current }: Store,
  stack: AsyncDisposableStack,
): Promise<LivePart> {
  const about = {
    name: 'retention',
    settings: ({ spool: { purgeSchedule, keepVerifiedHours }, site }: Config) => [
      purgeSchedule,
      keepVerifiedHours,
      site.timeZone,
    ],
  };
  return replaceable(about, current.config, stack, (config) => {
    const { purgeSchedule: schedule, keepVerifiedHours } = config.spool;
    const { timeZone } = config.site;
    const retention = new Retention({ spool, schedule, timeZone, keepVerifiedHours, clock, log });
    retention.start();
    return () => retention.stop();
  });
}
