import { z } from 'zod';
import type { modality } from './document.ts';
import { documentShape } from './document.ts';
import type { destination, proxy } from './document-destinations.ts';
import type { batch, clientCertificate } from './document-line.ts';
import type { route } from './document-routes.ts';
import type { auth } from './document-sign-in.ts';
import { fillHttpsPort } from './document-web.ts';
import { fillLimits } from './limits.ts';
import { type ConfigProblem, describeIssues } from './problems.ts';
import { fillProfiles } from './profiles.ts';
import { checkWhole } from './whole-rules.ts';

/** The one JSON document of a box. Defaults are filled in by parsing. */
export const configSchema = documentShape.superRefine(checkWhole).transform((config) => ({
  ...config,
  intake: { ...config.intake, limits: fillLimits(config.intake.limits) },
  web: fillHttpsPort(config.web),
  routes: { ...config.routes, default: config.routes.default ?? { to: Object.keys(config.destinations) } },
}));

/** A valid configuration with every default filled in. */
export type Config = z.output<typeof configSchema>;
export type SiteConfig = Config['site'];
export type IntakeConfig = Config['intake'];
export type IntakeLimits = IntakeConfig['limits'];
export type ModalityConfig = z.output<typeof modality>;
export type SpoolConfig = Config['spool'];
export type DestinationConfig = z.output<typeof destination>;
export type AuthConfig = z.output<typeof auth>;
export type ClientCertificateConfig = z.output<typeof clientCertificate>;
export type ProxyConfig = z.output<typeof proxy>;
export type BatchConfig = z.output<typeof batch>;
export type RouteConfig = z.output<typeof route>;
export type WebConfig = Config['web'];
export type RemoteConfig = Config['remote'];
export type UpdateConfig = NonNullable<Config['update']>;
export type RemoteLineConfig = Pick<
  NonNullable<RemoteConfig['https']>,
  'caFile' | 'clientCertificate' | 'proxy'
>;

export type ParsedConfig =
  | { readonly ok: true; readonly config: Config }
  | { readonly ok: false; readonly problems: readonly ConfigProblem[] };

let jsonSchema: z.core.JSONSchema.BaseSchema | null = null;

/** Draft 7, which editors understand; what may be written, not what parsing makes of it. Made once, not to be changed. */
export function configJsonSchema(): z.core.JSONSchema.BaseSchema {
  jsonSchema ??= z.toJSONSchema(configSchema, { io: 'input', target: 'draft-7' });
  return jsonSchema;
}

/** Checks a whole document and fills in the defaults; never throws. */
export function parseConfig(json: unknown): ParsedConfig {
  const result = configSchema.safeParse(fillProfiles(json));
  if (result.success) return { ok: true, config: result.data };
  return { ok: false, problems: describeIssues(result.error.issues, json, configJsonSchema()) };
}
