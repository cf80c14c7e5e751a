import type { KeyObject } from 'node:crypto';
import { join } from 'node:path';
import { recordPath } from '../config/remote/channels/port.ts';
import { type DesiredConfig, desiredConfig } from '../config/remote/documents.ts';
import { redirectChanges, secretRedirects } from '../config/remote/redirect.ts';
import { readSigned } from '../config/remote/signed.ts';
import { keyIdOf, okpJwk } from '../crypto/jws.ts';
import { boxFile, fleetFiles, readIfThere, replaceFile } from './files.ts';
import { renderedIn, signOne } from './sign.ts';

/** One setting that sends patient data elsewhere, and the boxes it changes on in the same way. */
export interface ApprovedChange {
  /** JSON pointer (RFC 6901). */
  readonly path: string;
  readonly before: unknown;
  readonly after: unknown;
  readonly boxes: string[];
}

/** Who has approved what: kept in the git folder. */
export interface Approval {
  readonly kind: 'Approval';
  readonly at: string;
  readonly by: string;
  readonly key: string;
  readonly documents: { readonly device: string; readonly generation: number; readonly sha256: string }[];
  readonly changes: ApprovedChange[];
}

export interface ApproveOptions {
  readonly directory: string;
  readonly out: string;
  /**
   * A folder with the signed documents in use, as they were signed (`BOX.jws`) or published (`v1/FLEET/BOX/…`, on a
   * stick too); null: all is shown as new.
   */
  readonly against: string | null;
  readonly only: string | null;
  readonly by: string;
  readonly now: Date;
}

/** What would be approved; writes nothing. */
export async function planApproval(options: ApproveOptions, key: KeyObject): Promise<Approval> {
  const documents: Approval['documents'] = [];
  const changes = new Map<string, ApprovedChange>();
  for await (const { box, desired, sha256 } of renderedIn(options.out, options.only)) {
    const inUse = await documentInUse(options.against, desired);
    const before = inUse?.config ?? null;
    const paths = redirectChanges(before, desired.config);
    const secrets = secretRedirects(inUse?.sealed ?? {}, desired);
    if (paths.length + secrets.length === 0) continue;
    documents.push({ device: box, generation: desired.generation, sha256 });
    const changed = [
      ...paths.map((path) => ({
        path,
        before: valueAt(before, path),
        after: valueAt(desired.config, path),
      })),
      // Sealed to each box by itself: what it is cannot be seen, that it is another one can.
      ...secrets.map((path) => ({
        path,
        before: valueAt(inUse, path) && '(sealed)',
        after: '(sealed anew)',
      })),
    ];
    for (const change of changed) {
      const same = JSON.stringify(change);
      const known = changes.get(same) ?? { ...change, boxes: [] };
      known.boxes.push(box);
      changes.set(same, known);
    }
  }
  return {
    kind: 'Approval',
    at: options.now.toISOString(),
    by: options.by,
    key: keyIdOf(okpJwk(key)),
    documents,
    changes: [...changes.values()],
  };
}

/** Signs what was planned, and keeps the record. The record is there before any signature. @returns its path */
export async function carryOutApproval(
  options: ApproveOptions,
  approval: Approval,
  key: KeyObject,
): Promise<string> {
  const name = `${approval.at.replaceAll(':', '-')}-${approval.key.slice(0, 8)}.json`;
  const path = join(options.directory, fleetFiles.approvals, name);
  await replaceFile(path, `${JSON.stringify(approval, null, 2)}\n`);
  const planned = new Map(approval.documents.map(({ device, sha256 }) => [device, sha256]));
  for await (const rendered of renderedIn(options.out, options.only)) {
    if (planned.get(rendered.box) === rendered.sha256) await signOne(options.out, rendered, key);
  }
  return path;
}

async function documentInUse(
  against: string | null,
  { fleet, device }: DesiredConfig,
): Promise<DesiredConfig | null> {
  if (against === null) return null;
  const published = recordPath(fleet, device, 'desired');
  const places = [
    boxFile(against, device, '.jws'),
    join(against, published),
    join(against, 'gantry-fleet', published),
  ];
  for (const place of places) {
    const bytes = await readIfThere(place);
    const read = bytes === null ? null : readSigned(bytes, desiredConfig);
    if (read?.ok && read.value.device === device) return read.value;
  }
  return null;
}

function valueAt(value: unknown, pointer: string): unknown {
  const parts = pointer.split('/').slice(1);
  return (
    parts
      .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
      .reduce<unknown>((at, part) => {
        if (typeof at !== 'object' || at === null || !Object.hasOwn(at, part)) return undefined;
        return (at as Record<string, unknown>)[part];
      }, value) ?? null
  );
}
