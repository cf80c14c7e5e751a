import { z } from 'zod';
import { boxName, confirmSeconds, fleetName, publicJwk } from '../config/remote/documents.ts';
import { weeklyWindow } from '../config/document-window.ts';
import { entryName, shortText } from '../config/values.ts';

/** What central IT writes into its git folder: documents of four kinds, in YAML or JSON. */
export const documentKinds = ['Fleet', 'Layer', 'Device', 'Rollout'] as const;
export type DocumentKind = (typeof documentKinds)[number];

const labelValue = z.string().min(1).max(128);
const labels = z.record(entryName, labelValue).default({});
const settings = z.record(z.string(), z.unknown());

const target = z
  .strictObject({
    match: z.record(entryName, labelValue).default({}).describe('Labels a box must have, with their values.'),
    in: z
      .record(entryName, z.array(labelValue).min(1).max(1000))
      .default({})
      .describe('Labels whose value must be one of a list.'),
    notIn: z
      .record(entryName, z.array(labelValue).min(1).max(1000))
      .default({})
      .describe('Labels whose value must not be one of a list; a box without the label is meant too.'),
  })
  .prefault({})
  .describe('Which boxes are meant, by their labels; all of it must hold. Absent: every box.');
export type Target = z.output<typeof target>;

const ifUnknown = z
  .enum(['refuse', 'omit'])
  .default('refuse')
  .describe(
    'What happens to settings that the version of a box does not know: "refuse" is an error here, "omit" leaves them out for that box. Such settings are never sent.',
  );

const confirmWithinSeconds = z
  .int()
  .min(confirmSeconds.min)
  .max(confirmSeconds.max)
  .default(confirmSeconds.default)
  .describe('A box goes back by itself where it could not confirm a configuration within this time.');

export const fleetDocument = z
  .strictObject({
    kind: z.literal('Fleet'),
    name: fleetName.describe('Name of the fleet: small letters, digits and "-".'),
    changes: z
      .enum(['immediate', 'rollout'])
      .default('immediate')
      .describe(
        'How a change reaches boxes that have a configuration already: with the next "fleet render", or by a rollout only.',
      ),
    confirmWithinSeconds,
  })
  .describe('The fleet as a whole: exactly one.');

export const layerDocument = z
  .strictObject({
    kind: z.literal('Layer'),
    name: entryName,
    priority: z
      .int()
      .min(0)
      .max(1_000_000)
      .describe('The higher one counts. Two of one priority may not set the same value of the same box.'),
    target,
    ifUnknown,
    config: settings.describe(
      'A part of the configuration, merged by RFC 7396: objects by key, lists replaced as a whole, null takes away what lower layers set.',
    ),
  })
  .describe('Settings that many boxes share.');

export const deviceDocument = z
  .strictObject({
    kind: z.literal('Device'),
    id: boxName.describe('Id of the box, as it tells at enrolment.'),
    labels: labels.describe('What layers and rollouts choose boxes by, e.g. {"region": "north"}.'),
    keys: z
      .strictObject({
        sign: publicJwk.describe('Ed25519: what the box signs its reports with.'),
        seal: publicJwk.describe('X25519: what secrets are sealed to.'),
      })
      .optional()
      .describe('Public keys of the box, written at enrolment.'),
    schemaVersion: z
      .int()
      .min(1)
      .default(1)
      .describe('Version of the configuration schema that the box knows, as it reported last.'),
    ifUnknown,
    overrides: settings.default({}).describe('Settings of this box alone; they count over every layer.'),
    clearOverrides: z
      .array(z.string().max(512).regex(/^\//))
      .max(256)
      .default([])
      .describe('Values set on the page of the box that are to be forgotten: JSON pointers (RFC 6901).'),
    retired: z.boolean().default(false).describe('Gets nothing any more and is not counted.'),
    replaces: boxName.optional().describe('Id of the box in whose place it came.'),
    retiredBecause: shortText.optional().describe('Why, and since when; written by "gantry fleet device".'),
    note: shortText.optional().describe('For people.'),
  })
  .describe('One box.');

const percent = z.number().min(0).max(100);
const wave = z.union([
  z.int().min(1).max(100_000),
  z
    .string()
    .regex(/^(?:100|[1-9]?\d(?:\.\d{1,2})?) ?%$/, 'is neither a number of boxes nor a share such as "5 %"'),
]);
export type WaveSize = z.output<typeof wave>;

export const rolloutDocument = z
  .strictObject({
    kind: z.literal('Rollout'),
    id: entryName,
    target,
    waves: z
      .array(wave)
      .min(1)
      .max(16)
      .default([1, '5 %', '25 %', '100 %'])
      .describe(
        'How many boxes have it after each wave, in all: a number, or a share of all that are meant.',
      ),
    soakMinutes: z
      .number()
      .min(0)
      .max(10_080)
      .default(30)
      .describe('How long a wave must have been well before the next one opens.'),
    successPercent: percent
      .default(95)
      .describe('Share of the reached boxes that must have applied it before the next wave opens.'),
    errorPercent: percent
      .default(2)
      .describe(
        'The rollout stops where more than this share of the reached boxes refused it, went back or failed.',
      ),
    offlineMinutes: z
      .number()
      .min(1)
      .max(10_080)
      .default(60)
      .describe('A box that has not reported for so long is offline: it is waited for, and is no failure.'),
    windows: z
      .array(weeklyWindow)
      .max(32)
      .default([])
      .describe('When boxes may be given it, by the clock of their own site. Empty: at any time.'),
    apply: z.enum(['now', 'window', 'manual']).default('now').describe('When the box itself applies it.'),
  })
  .describe('How one change reaches the boxes it is meant for, wave by wave.');

export type FleetDocument = z.output<typeof fleetDocument>;
export type Layer = z.output<typeof layerDocument>;
export type Device = z.output<typeof deviceDocument>;
export type Rollout = z.output<typeof rolloutDocument>;

export const documentShapes = {
  Fleet: fleetDocument,
  Layer: layerDocument,
  Device: deviceDocument,
  Rollout: rolloutDocument,
} as const satisfies Record<DocumentKind, z.ZodType>;

/** @returns whether a box with these labels is meant */
export function isMeant(
  { match, in: within, notIn }: Target,
  given: Readonly<Record<string, string>>,
): boolean {
  const label = (name: string): string | undefined => (Object.hasOwn(given, name) ? given[name] : undefined);
  return (
    Object.entries(match).every(([name, value]) => label(name) === value) &&
    Object.entries(within).every(([name, values]) => values.includes(label(name) ?? '')) &&
    Object.entries(notIn).every(([name, values]) => !values.includes(label(name) ?? ''))
  );
}

/** @returns whether no labels can be meant by both */
export function neverBoth(one: Target, other: Target): boolean {
  const both = [one, other];
  const wanted = both.flatMap(({ match, in: within }) => [
    ...Object.entries(match).map(([name, value]) => [name, [value]] as const),
    ...Object.entries(within),
  ]);
  return wanted.some(([name, values]) => {
    const others = wanted.filter(([label]) => label === name);
    const excluded = both.flatMap(({ notIn }) => (Object.hasOwn(notIn, name) ? (notIn[name] ?? []) : []));
    return !values.some(
      (value) => others.every(([, list]) => list.includes(value)) && !excluded.includes(value),
    );
  });
}
