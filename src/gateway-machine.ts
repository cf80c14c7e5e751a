import { GantryError } from './base/errors.ts';
import { askHelper } from './helper/client.ts';
import type { HelperRequest } from './helper/verbs.ts';
import type { MachineTools } from './web/machine-routes.ts';

/** The machine, by the helper. @param socketPath where it listens, where that is not its usual place */
export function createMachineTools(socketPath = process.env['GANTRY_HELPER_SOCKET']): MachineTools {
  const where = socketPath === undefined ? {} : { socketPath };
  const ask = (by: string, request: HelperRequest) => askHelper({ by, request }, where);
  return {
    setNetwork: async (settings, by) => {
      const { change } = await ask(by, { verb: 'network', do: 'set', settings });
      if (change === null) throw noChange();
      return change;
    },
    settleNetwork: async (how, change, by) => void (await ask(by, { verb: 'network', do: how, change })),
    setTimeZone: async (timeZone, by) => void (await ask(by, { verb: 'time-zone', timeZone })),
    reboot: async (by) => void (await ask(by, { verb: 'reboot' })),
    blink: async (seconds, by) => void (await ask(by, { verb: 'blink', seconds })),
  };
}

function noChange(): GantryError {
  return new GantryError({
    code: 'HELPER_NO_ANSWER',
    kind: 'ambiguous',
    message: 'The helper did not say which change is to be confirmed.',
    nextStep: 'It goes back by itself within a minute; then try again.',
  });
}
