import type { z } from 'zod';
import { type AddressRange, parseAddressRange, rangesOverlap } from './addresses.ts';
import { type Document, type Modality, modalitiesMax } from './document.ts';
import { destinationsMax } from './document-destinations.ts';
import { routesMax } from './document-routes.ts';
import { checkLimits } from './limits.ts';
import { nearestWord } from './nearest-word.ts';
import { entryName } from './values.ts';

/** Rules that span several parts of the document. */
export function checkWhole(config: Document, context: z.RefinementCtx<Document>): void {
  const fail = (path: PropertyKey[], message: string, suggestion: string) => {
    context.addIssue({ code: 'custom', path, message, params: { suggestion } });
  };
  const destinationNames = Object.keys(config.destinations);
  if (destinationNames.length === 0)
    fail(['destinations'], 'is empty, so no image could be sent', 'Add one archive: its "type" and "url".');
  if (destinationNames.length > destinationsMax)
    fail(['destinations'], `names more than ${destinationsMax} archives`, 'Remove some.');

  checkRoutes(config, fail);
  checkLimits(config.intake.limits, (name, message, suggestion) =>
    fail(['intake', 'limits', name], message, suggestion),
  );
  if (config.intake.port !== 0 && config.intake.port === config.web.port)
    fail(['web', 'port'], 'is the same port as "intake.port"', 'Give each its own port.');
  checkTls(config, fail);
  checkHttps(config, fail);
  const modalities = Object.entries(config.modalities);
  if (modalities.length > modalitiesMax)
    fail(['modalities'], `names more than ${modalitiesMax} modalities`, 'Remove those that no longer exist.');
  modalities.slice(0, modalitiesMax).forEach(([name, entry], at, all) => {
    const twin = all.slice(0, at).find(([, other]) => indistinguishable(entry, other));
    if (twin)
      fail(
        ['modalities', name],
        `has the AE title of "${twin[0]}" and may call from the same address`,
        'Give each device its own AE title, or addresses that do not overlap.',
      );
  });
}

function checkRoutes({ routes, destinations, modalities }: Document, fail: Fail): void {
  const entries = Object.entries(routes);
  if (entries.length > routesMax) fail(['routes'], `names more than ${routesMax} routes`, 'Join some.');
  for (const [name, entry] of entries) {
    if (entry === undefined) continue;
    if (!entryName.safeParse(name).success)
      fail(['routes', name], 'is not a usable name', `Use ${entryName.description ?? ''}.`);
    entry.to.forEach((to, at, all) => {
      const path = ['routes', name, 'to', at];
      if (!Object.hasOwn(destinations, to))
        fail(path, 'names a destination that does not exist', nameHint(to, Object.keys(destinations)));
      else if (all.indexOf(to) < at) fail(path, 'names a destination twice', 'Remove one of the two.');
    });
    const devices = 'modalities' in entry && Array.isArray(entry.modalities) ? entry.modalities : [];
    devices.forEach((device: string, at: number) => {
      if (!Object.hasOwn(modalities, device))
        fail(
          ['routes', name, 'modalities', at],
          'names a modality that does not exist',
          nameHint(device, Object.keys(modalities)),
        );
    });
  }
}

function nameHint(name: string, known: readonly string[]): string {
  const near = nearestWord(name, known);
  return near === null ? `There is: ${known.join(', ') || 'none'}.` : `Did you mean "${near}"?`;
}

type Fail = (path: PropertyKey[], message: string, suggestion: string) => void;

function checkTls({ intake, web, modalities }: Document, fail: Fail): void {
  const { tls } = intake;
  const bound = Object.entries(modalities).filter(([, { certificate }]) => certificate !== null);
  if (tls === null) {
    for (const [name] of bound)
      fail(
        ['modalities', name, 'certificate'],
        'needs DICOM over TLS, which is off',
        'Add "tls": {} under "intake".',
      );
    return;
  }
  for (const [port, whose] of [
    [intake.port, 'intake.port'],
    [web.port, 'web.port'],
  ] as const)
    if (tls.port !== 0 && tls.port === port)
      fail(['intake', 'tls', 'port'], `is the same port as "${whose}"`, 'Give each its own port.');
  if (tls.clientCaFile !== null) return;
  for (const [name, { certificate }] of bound)
    if (certificate !== null && certificate.names.length > 0)
      fail(
        ['modalities', name, 'certificate', 'names'],
        'needs an authority that vouches for these names',
        'Give its file in "intake.tls.clientCaFile", or use "sha256".',
      );
  if (tls.requireClientCertificate === true && bound.length === 0)
    fail(
      ['intake', 'tls', 'requireClientCertificate'],
      'would let nobody in, as no certificate is known',
      'Give "clientCaFile", or a "certificate" to the modalities.',
    );
}

function checkHttps({ intake, web }: Document, fail: Fail): void {
  const port = web.https?.port ?? 0;
  if (port === 0) return;
  for (const [other, whose] of [
    [web.port, 'web.port'],
    [intake.port, 'intake.port'],
    [intake.tls?.port ?? 0, 'intake.tls.port'],
  ] as const)
    if (port === other)
      fail(['web', 'https', 'port'], `is the same port as "${whose}"`, 'Give each its own port.');
}

function indistinguishable(a: Modality, b: Modality): boolean {
  if (a.aeTitle !== b.aeTitle) return false;
  if (a.addresses.length === 0 || b.addresses.length === 0) return true;
  return ranges(a.addresses).some((one) => ranges(b.addresses).some((other) => rangesOverlap(one, other)));
}

function ranges(texts: readonly string[]): AddressRange[] {
  return texts.flatMap((text) => parseAddressRange(text) ?? []);
}
