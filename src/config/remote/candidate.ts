import { isDeepStrictEqual } from 'node:util';
import { GantryError } from '../../base/errors.ts';
import { secretMissing } from '../../base/sealed-secrets.ts';
import type { LocalSetting } from '../document-remote.ts';
import { parseConfig } from '../schema.ts';
import { sealedFor, secretReferences } from '../secrets.ts';
import type { ConfigPath, RawDocument } from '../store.ts';
import type { Candidate } from './apply.ts';
import { ApplyRefusal } from './apply-failures.ts';
import type { ChannelKind, DesiredConfig } from './documents.ts';
import { pointerOf } from './redirect.ts';

interface CandidateFacts {
  readonly sha256: string;
  readonly via: ChannelKind;
  readonly schemaVersion: number;
  /** The document in use. */
  readonly current: RawDocument | null;
  /** Entries of it that were set on this box. */
  readonly changes: readonly ConfigPath[];
  /** Opens a sealed secret, to see that this box can. @throws GantryError FLEET_SECRET_UNREADABLE */
  readonly open: (name: string, sealed: string) => Promise<unknown>;
}

/** What it is called where central IT says what may be set on a box. */
function settingOf([section, name]: ConfigPath): LocalSetting {
  return section === 'modalities' ? section : `site.${name}`;
}

/**
 * What central IT wants, with the entries over it that were set on this box and that it does not take back.
 * @throws ApplyRefusal FLEET_SCHEMA_NEWER, CONFIG_INVALID, FLEET_SECRET_MISSING, FLEET_SECRET_UNREADABLE,
 *   FLEET_OVERRIDE_CONFLICT
 */
export async function candidateOf(desired: DesiredConfig, facts: CandidateFacts): Promise<Candidate> {
  if (desired.schemaVersion > facts.schemaVersion) {
    throw new ApplyRefusal('', {
      code: 'FLEET_SCHEMA_NEWER',
      kind: 'permanent',
      message: `It is written for version ${desired.schemaVersion} of the settings; this box knows version ${facts.schemaVersion}.`,
      nextStep: 'Render it for the version this box reports, or update the box.',
    });
  }
  const wanted = desired.config;
  const pure = parseConfig(wanted);
  if (!pure.ok) throw invalid('CONFIG_INVALID', pure.problems);
  await checkSecrets(desired, facts.open);
  const cleared = new Set(desired.clearOverrides ?? []);
  const { localSettings } = pure.config.remote;
  const changes = facts.changes.filter(
    (path) =>
      !cleared.has(pointerOf(path)) &&
      localSettings.includes(settingOf(path)) &&
      entryOf(facts.current, path) !== undefined &&
      !isDeepStrictEqual(entryOf(facts.current, path), entryOf(wanted, path)),
  );
  const document = changes.reduce<RawDocument>(
    (all, path) => ({
      ...all,
      [path[0]]: { ...(all[path[0]] as object | undefined), [path[1]]: entryOf(facts.current, path) },
    }),
    wanted,
  );
  const whole = changes.length === 0 ? pure : parseConfig(document);
  if (!whole.ok) throw invalid('FLEET_OVERRIDE_CONFLICT', whole.problems);
  return {
    document,
    config: whole.config,
    source: 'central',
    changes,
    sealed: sealedFor(wanted, desired.sealed),
    sha256: facts.sha256,
    generation: desired.generation,
    via: facts.via,
    confirmMs: desired.apply.confirmWithinSeconds * 1000,
    // A stick is no line that could be lost.
    confirmedBy: facts.via === 'usb' ? null : facts.via,
  };
}

/** @throws ApplyRefusal FLEET_SECRET_MISSING, FLEET_SECRET_UNREADABLE, naming the setting */
async function checkSecrets({ config, sealed }: DesiredConfig, open: CandidateFacts['open']): Promise<void> {
  for (const { name, path } of secretReferences(config)) {
    try {
      if (!Object.hasOwn(sealed, name)) throw secretMissing(name);
      await open(name, sealed[name] ?? '');
    } catch (error) {
      if (!(error instanceof GantryError)) throw error;
      const { code, kind, message, nextStep } = error;
      throw new ApplyRefusal(pointerOf(path.map(String)), { code, kind, message, nextStep });
    }
  }
}

export function entryOf(document: RawDocument | null, [section, name]: ConfigPath): unknown {
  const entries = (document?.[section] ?? {}) as RawDocument;
  return Object.hasOwn(entries, name) ? entries[name] : undefined;
}

function invalid(code: string, problems: readonly { path: string; cause: string; suggestion: string }[]) {
  const [first] = problems;
  const where = first?.path ?? '';
  return new ApplyRefusal(where === '' ? '' : `/${where.replaceAll(/[.[]/g, '/').replaceAll(']', '')}`, {
    code,
    kind: 'permanent',
    message:
      code === 'CONFIG_INVALID'
        ? `It is not valid: ${where || 'the document'} ${first?.cause ?? ''}.`
        : `With what was set on this box, it is not valid: ${where || 'the document'} ${first?.cause ?? ''}.`,
    nextStep: first?.suggestion || 'Correct it, or take back what was set on the box.',
  });
}
