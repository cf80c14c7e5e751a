import { createHash } from 'node:crypto';
import type { CurrentConfig, RawDocument } from '../store.ts';
import type { ApplyState } from './apply.ts';
import { entryOf } from './candidate.ts';
import {
  type ReportedState,
  type ReportPhase,
  reportedState,
  type SignedDocument,
  wireVersion,
} from './documents.ts';
import { judgeFreshness } from './freshness.ts';
import { pointerOf } from './redirect.ts';
import type { AttemptRecord, RemoteMemory } from './state.ts';

/** What a report says beside the configuration. */
export type BoxFacts = Pick<ReportedState, 'verdict' | 'queue' | 'disk' | 'certificates' | 'software'>;

interface ReportInputs {
  readonly facts: BoxFacts;
  readonly memory: RemoteMemory & { readonly enrolment: NonNullable<RemoteMemory['enrolment']> };
  readonly phase: ApplyState['phase'];
  readonly current: CurrentConfig;
  readonly document: RawDocument | null;
  readonly now: number;
  /** Null where the clock is not trusted. */
  readonly trustedNow: number | null;
  readonly schemaVersion: number;
  /** Null where none is asked for. */
  readonly certificateRequest: SignedDocument | null;
}

const underWay = {
  validating: 'Validating',
  applying: 'Applying',
  confirming: 'Confirming',
  reverting: 'RolledBack',
} as const satisfies Partial<Record<ApplyState['phase'], ReportPhase>>;

/** What the box says of itself. Never patient data, never a UID. */
export function reportOf(inputs: ReportInputs): ReportedState {
  const { facts, memory, current, document, now, trustedNow, schemaVersion } = inputs;
  const { fleet, device, trust } = memory.enrolment;
  const last = memory.history.findLast(({ source }) => source === 'central') ?? null;
  const seen = memory.seen?.generation ?? 0;
  const freshness = { trust: trust.document, lastGeneration: seen, now: trustedNow };
  return reportedState.parse({
    apiVersion: wireVersion,
    kind: 'ReportedState',
    fleet,
    device,
    seq: memory.reportSeq,
    at: iso(now),
    config: {
      observedGeneration: seen,
      appliedGeneration: memory.applied?.generation ?? 0,
      effectiveSha256:
        document === null ? null : createHash('sha256').update(JSON.stringify(document)).digest('hex'),
      schemaVersion,
      localOverrides: Object.fromEntries(
        current.changes.map((path) => [pointerOf(path), entryOf(document, path)]),
      ),
      phase: phaseOf(inputs, last?.phase ?? null),
      error: wireError(last?.error ?? null),
      trustVersion: trust.document.version,
      timestampVersion: memory.timestamp?.timestamp.version ?? 0,
      freshness: judgeFreshness(memory.timestamp, freshness),
    },
    refused: memory.refusals.map((one) => ({ ...one, at: iso(one.at) })),
    ...facts,
    ...(inputs.certificateRequest !== null && { certificateRequest: inputs.certificateRequest }),
    commands: memory.commands.map((one) => ({ ...one, at: iso(one.at) })),
  } satisfies ReportedState);
}

/** What to do about it is said on the box; central IT has the code. */
function wireError(error: AttemptRecord['error']): ReportedState['config']['error'] {
  return error && { code: error.code, path: error.path, message: error.message };
}

function phaseOf({ phase, memory }: ReportInputs, last: ReportPhase | null): ReportPhase {
  if (phase !== 'idle') return underWay[phase];
  if (memory.waiting !== null) return 'Pending';
  return last ?? 'Pending';
}

function iso(at: number): string {
  return new Date(at).toISOString();
}
