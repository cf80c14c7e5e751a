import { echo } from './archive/dimse-echo.ts';
import { GantryError } from './base/errors.ts';
import { allowModality, modalityUnknown, replaceModality } from './config/modalities.ts';
import { requireLocal } from './gateway-site.ts';
import type { Store } from './gateway-store.ts';
import { echoReport } from './health/modality-echo.ts';
import type { IntakeListener } from './intake/listener.ts';
import type { ModalityTools } from './web/tools.ts';

/** What a technician can do with modalities, on the running gateway. */
export function createModalityTools(store: Store, listener: IntakeListener): ModalityTools {
  const { configStore, log } = store;
  const done = (event: string, name: string, generation: number) => {
    log.info({ event, modality: name, generation }, 'configuration changed on the page');
    return { generation };
  };
  return {
    attempts: () => listener.attempts(),
    followAttempts: (follower) => listener.followAttempts(follower),
    unknownCallers: () => listener.unknownCallers(),
    allow: async (name, change) => {
      requireLocal(store, 'modalities');
      return done('modality-allowed', name, (await allowModality(configStore, name, change)).generation);
    },
    replace: async (name, change) => {
      requireLocal(store, 'modalities');
      return done('modality-replaced', name, (await replaceModality(configStore, name, change)).generation);
    },
    echo: async (name) => {
      const { modalities, intake } = store.current.config;
      const modality = Object.hasOwn(modalities, name) ? modalities[name] : undefined;
      if (modality === undefined) throw modalityUnknown(name, Object.keys(modalities));
      const { host, port, aeTitle } = modality;
      if (host === null || port === null) throw noAddress(name);
      const target = { name, host, port, aeTitle, callingAeTitle: intake.aeTitle };
      return echoReport(target, await echo(target));
    },
  };
}

function noAddress(name: string): GantryError {
  return new GantryError({
    code: 'MODALITY_NO_ADDRESS',
    kind: 'permanent',
    message: `It is not known at which address and port "${name}" can be called.`,
    nextStep: 'Enter "host" and "port" of the modality: its own address and its DICOM port.',
  });
}
