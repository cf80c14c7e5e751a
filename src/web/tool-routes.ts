import { z } from 'zod';
import { ApiFile, type ApiRoute, type ApiStream, apiRoute, fileOf } from './api-route.ts';
import { destinationRoutes } from './destination-routes.ts';
import { machineRoutes } from './machine-routes.ts';
import { attemptStream, modalityRoutes } from './modality-routes.ts';
import { siteRoutes } from './site-routes.ts';
import { studyRoutes } from './study-routes.ts';
import type { BundleTools, Tools } from './tools.ts';

const network = z.object({
  cards: z.array(
    z.object({
      name: z.string(),
      link: z.boolean(),
      addresses: z.array(
        z.object({
          address: z.string(),
          prefix: z.int(),
          assigned: z.enum(['dhcp', 'static', 'unknown']),
        }),
      ),
    }),
  ),
  gateway: z.object({ address: z.string(), answers: z.boolean().nullable() }).nullable(),
  dnsServers: z.array(z.string()),
  timeServers: z.array(z.string()),
  clockSynchronised: z.boolean().nullable(),
  proxies: z.record(z.string(), z.string()),
  staleAddresses: z.array(z.object({ modality: z.string(), address: z.string() })),
  clock: z.object({
    now: z.number(),
    synchronised: z.boolean().nullable(),
    offsetSeconds: z.record(z.string(), z.number()),
    trusted: z.boolean().nullable(),
  }),
});

/** The calls behind the page's tools. */
export function toolRoutes(tools: Tools): ApiRoute[] {
  return [
    ...siteRoutes(tools.site),
    ...modalityRoutes(tools.modalities),
    ...destinationRoutes(tools.destinations),
    ...studyRoutes(tools.studies),
    ...bundleRoutes(tools.bundle),
    ...machineRoutes(tools.machine),
    apiRoute({
      method: 'GET',
      path: '/api/v1/network',
      role: 'viewer',
      summary: 'How this box is connected, its clock, and modalities that call an address it no longer has',
      request: z.object({}),
      response: network,
      audit: null,
      // The schema's output is a copy that may be changed.
      handle: async () => network.parse(await tools.network()),
    }),
    apiRoute({
      method: 'GET',
      path: '/api/v1/commissioning-report',
      role: 'technician',
      summary: 'A page to print at the handing over: tests every line and calls every modality',
      request: z.object({}),
      response: fileOf('text/html; charset=utf-8'),
      audit: 'COMMISSIONING_REPORT',
      handle: async () =>
        new ApiFile('gantry-commissioning.html', Buffer.from(await tools.commissioningReport())),
    }),
  ];
}

export function toolStreams(tools: Tools): ApiStream[] {
  return [attemptStream(tools.modalities)];
}

function bundleRoutes(bundle: BundleTools): ApiRoute[] {
  return [
    apiRoute({
      method: 'GET',
      path: '/api/v1/support-bundle/contents',
      role: 'technician',
      summary: 'What would be in the support bundle',
      request: z.object({}),
      response: z.object({ parts: z.array(z.object({ name: z.string(), about: z.string() })) }),
      audit: null,
      handle: async () => ({ parts: [...bundle.contents()] }),
    }),
    apiRoute({
      method: 'POST',
      path: '/api/v1/support-bundle',
      role: 'technician',
      summary: 'One file with all that helps to help: no patient data, no secrets',
      request: z.object({}),
      response: fileOf('application/gzip'),
      audit: 'SUPPORT_BUNDLE',
      handle: async () => new ApiFile('gantry-support.tar.gz', await bundle.pack()),
    }),
  ];
}
