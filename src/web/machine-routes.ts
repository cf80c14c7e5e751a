import { z } from 'zod';
import { confirmSeconds, type NetworkSettings, networkSettings, timeZoneName } from '../helper/verbs.ts';
import { type ApiContext, type ApiRoute, apiRoute } from './api-route.ts';

/** What can be done to the machine itself, by the helper beside the gateway. `by` names who asked. */
export interface MachineTools {
  /**
   * Puts network settings in use until they are confirmed, or go back by themselves.
   * @returns the change, to be confirmed
   * @throws GantryError HELPER_*
   */
  setNetwork(settings: NetworkSettings, by: string): Promise<string>;
  /** @throws GantryError HELPER_* */
  settleNetwork(how: 'confirm' | 'revert', change: string, by: string): Promise<void>;
  /** @throws GantryError HELPER_* */
  setTimeZone(timeZone: string, by: string): Promise<void>;
  /** @throws GantryError HELPER_* */
  reboot(by: string): Promise<void>;
  /** Resolves once the light blinks. @throws GantryError HELPER_* */
  blink(seconds: number, by: string): Promise<void>;
}

const nothing = z.object({});
const change = z.object({ change: z.string().regex(/^[0-9a-f]{16}$/) });

/** The calls that change the machine: network and time zone are for admins. */
export function machineRoutes(machine: MachineTools): ApiRoute[] {
  return [...networkRoutes(machine), ...otherRoutes(machine)];
}

function networkRoutes(machine: MachineTools): ApiRoute[] {
  const settle = (how: 'confirm' | 'revert', summary: string, audit: string): ApiRoute =>
    apiRoute({
      method: 'POST',
      path: `/api/v1/machine/network/${how}`,
      role: 'admin',
      summary,
      request: change,
      response: nothing,
      audit,
      subject: () => null,
      handle: async (request, context) => {
        await machine.settleNetwork(how, request.change, nameOf(context));
        return {};
      },
    });
  return [
    apiRoute({
      method: 'PUT',
      path: '/api/v1/machine/network',
      role: 'admin',
      summary: `Address, name servers and time servers of a network card. Goes back by itself after ${confirmSeconds} s unless it is confirmed`,
      request: networkSettings,
      response: z.object({ change: z.string(), confirmSeconds: z.int() }),
      audit: 'NETWORK_CHANGED',
      subject: ({ card }) => card,
      handle: async (request, context) => ({
        change: await machine.setNetwork(request, nameOf(context)),
        confirmSeconds,
      }),
    }),
    settle('confirm', 'Keep the changed network', 'NETWORK_CONFIRMED'),
    settle('revert', 'Put the network back as it was', 'NETWORK_REVERTED'),
  ];
}

function otherRoutes(machine: MachineTools): ApiRoute[] {
  return [
    apiRoute({
      method: 'PUT',
      path: '/api/v1/machine/time-zone',
      role: 'admin',
      summary: 'Time zone of the machine',
      request: z.object({ timeZone: timeZoneName }),
      response: nothing,
      audit: 'TIME_ZONE_SET',
      subject: ({ timeZone }) => timeZone,
      handle: async ({ timeZone }, context) => {
        await machine.setTimeZone(timeZone, nameOf(context));
        return {};
      },
    }),
    apiRoute({
      method: 'POST',
      path: '/api/v1/machine/reboot',
      role: 'technician',
      summary: 'Start the machine anew; associations in flight are finished first',
      request: nothing,
      response: nothing,
      audit: 'REBOOT_ASKED',
      handle: async (_, context) => {
        await machine.reboot(nameOf(context));
        return {};
      },
    }),
    apiRoute({
      method: 'POST',
      path: '/api/v1/machine/blink',
      role: 'technician',
      summary: 'Blink a light of the machine, so that it is found',
      request: z.object({ seconds: z.int().min(1).max(120).default(30) }),
      response: nothing,
      audit: 'BLINKED',
      handle: async ({ seconds }, context) => {
        await machine.blink(seconds, nameOf(context));
        return {};
      },
    }),
  ];
}

/** For the helper's own record. */
function nameOf({ user }: ApiContext): string {
  return (user?.name ?? 'somebody').slice(0, 64);
}
