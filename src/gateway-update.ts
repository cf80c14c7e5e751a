import { WeeklyWindows } from './base/weekly-windows.ts';
import { downloadBundle } from './config/remote/bundle-download.ts';
import { Outward } from './config/remote/channels/outward.ts';
import { Updater } from './config/remote/updater.ts';
import type { Config } from './config/schema.ts';
import type { Rooms } from './gateway.ts';
import { type LivePart, replaceable } from './gateway-live.ts';
import { readPlace } from './gateway-secrets.ts';
import type { Store } from './gateway-store.ts';
import { askHelper } from './helper/client.ts';
import type { HelperRequest } from './helper/verbs.ts';

/** Who is behind it, in the helper's own record. */
const by = 'configuration';

/** Brings an appliance to the version its configuration names, until the stack ends it. */
export function startUpdater(store: Store, rooms: Rooms, stack: AsyncDisposableStack): Promise<LivePart> {
  const { dataDirectory, disk, clock, log } = store;
  const socketPath = process.env['GANTRY_HELPER_SOCKET'];
  const ask = (request: HelperRequest) =>
    askHelper({ by, request }, socketPath === undefined ? {} : { socketPath });
  const about = {
    name: 'update',
    settings: ({ update, site }: Config) => [
      update,
      site.timeZone,
      update === null ? null : store.secrets.versionsFor(update),
    ],
  };
  return replaceable(about, store.current.config, stack, ({ update, site }) => {
    const windows = new WeeklyWindows(update?.windows ?? [], site.timeZone);
    const updater = new Updater({
      update,
      dataDirectory,
      disk,
      clock,
      log,
      download: async (download) => {
        if (update === null) return;
        const readText = (place: string) => readPlace(place, store.secrets);
        const outward = new Outward(update, {
          readText,
          ownCertificate: () => Promise.resolve(rooms.certificate.credentials),
        });
        await downloadBundle({ ...download, outward, disk });
      },
      install: async (bundle, sha256) => {
        await ask({ verb: 'install', bundle, sha256 });
      },
      reboot: async () => {
        await ask({ verb: 'reboot' });
      },
      inWindow: (now) => update?.windows.length === 0 || windows.openAt(now) !== null,
      load: async () => {
        const { intake, queue } = await rooms.status.report();
        return { associations: intake.associations, waiting: queue.instances };
      },
    });
    rooms.updateReport = () => updater.report();
    updater.start();
    return () => updater.stop();
  });
}
