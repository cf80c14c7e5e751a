import type { LocalSetting } from './config/document-remote.ts';
import { GantryError } from './base/errors.ts';
import { applyFailures } from './config/remote/apply-failures.ts';
import type { Config } from './config/schema.ts';
import type { Store } from './gateway-store.ts';
import type { SiteTools } from './web/tools.ts';

/**
 * What a technician can say of the place where the box stands.
 * @param follow brings the running parts under the configuration
 */
export function createSiteTools(store: Store, follow: (config: Config) => Promise<void>): SiteTools {
  const { configStore, log } = store;
  return {
    change: async (change) => {
      const { site } = store.current.config;
      const fields = (['name', 'timeZone'] as const).filter((field) => {
        const given = change[field];
        return given !== undefined && given !== site[field];
      });
      // First of all of them: either everything that was given is taken, or nothing.
      for (const field of fields) requireLocal(store, `site.${field}`);
      for (const field of fields) await configStore.change(['site', field], () => change[field]);
      const { generation, config } = store.current;
      log.info({ event: 'site-changed', fields, generation }, 'configuration changed on the page');
      await follow(config);
      return { generation };
    },
  };
}

/** @throws GantryError CONFIG_NOT_LOCAL where central IT keeps a setting of this box to itself */
export function requireLocal({ remote, current }: Store, setting: LocalSetting): void {
  const mayBeSet = remote.value.enrolment === null || current.config.remote.localSettings.includes(setting);
  if (!mayBeSet) throw new GantryError(applyFailures.notLocal);
}
