import { z } from 'zod';
import { Note } from '../../base/note.ts';
import {
  boxName,
  channelKinds,
  fleetName,
  fleetTimestamp,
  freshnessProof,
  reportPhases,
  trustDocument,
} from './documents.ts';
import type { SealedFile } from '../store.ts';

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const time = z.number();

/** What was tried, in one line of the history. */
const attempt = z.object({
  at: time,
  source: z.enum(['file', 'central']),
  generation: z.int().nullable(),
  sha256,
  phase: z.enum(reportPhases),
  /** Why it is not in use; null where it is. */
  error: z
    .object({
      code: z.string(),
      path: z.string().nullable(),
      message: z.string(),
      nextStep: z.string().default(''),
    })
    .nullable(),
});
export type AttemptRecord = z.output<typeof attempt>;

const believed = z.object({
  generation: z.int(),
  sha256,
  /** As it came: it is believed again, by the trust then in force, before it is put in use. */
  signed: z.string(),
  when: z.enum(['now', 'window', 'manual']),
  via: z.enum(channelKinds),
});

const pending = z.object({
  source: z.enum(['file', 'central']),
  generation: z.int().nullable(),
  sha256,
  via: z.enum(channelKinds).nullable().default(null),
  since: time,
  deadlineAt: time,
});
export type PendingRecord = z.output<typeof pending>;

const memory = z.object({
  /** Null: this box belongs to no fleet. */
  enrolment: z
    .object({
      fleet: fleetName,
      device: boxName,
      /** The trust document in force. */
      trust: z.object({ document: trustDocument, sha256 }),
      enrolledAt: time,
    })
    .nullable(),
  /** The highest generation that was ever believed, and of which bytes. */
  seen: z.object({ generation: z.int(), sha256 }).nullable(),
  /** The desired document in use. */
  applied: z
    .object({ generation: z.int(), sha256, at: time, via: z.enum(channelKinds).nullable().default(null) })
    .nullable(),
  /** A document that was believed and waits for its time. */
  waiting: believed.nullable().catch(null),
  /** The newest document that was believed, whatever became of it. */
  latest: believed.nullable().catch(null),
  /** In use without being kept. */
  pending: pending.nullable(),
  /** Newest last. */
  history: z.array(attempt),
  /** What was tried and went back, or was refused: not tried again by itself. */
  refusedSha256: z.array(sha256),
  /** The newest that was believed. */
  timestamp: z.object({ timestamp: fleetTimestamp, sha256, proof: freshnessProof }).nullable(),
  /** Documents that were refused, by their code. */
  refusals: z.array(z.object({ code: z.string(), at: time, count: z.int() })),
  reportSeq: z.int(),
  commands: z.array(
    z.object({ id: z.string(), at: time, ok: z.boolean(), code: z.string().nullable(), text: z.string() }),
  ),
  /** Commands that came, until they would have expired anyway. */
  commandsSeen: z.array(z.object({ id: z.string(), until: time })),
});
export type RemoteMemory = z.output<typeof memory>;

const nothing: RemoteMemory = {
  enrolment: null,
  seen: null,
  applied: null,
  waiting: null,
  latest: null,
  pending: null,
  history: [],
  refusedSha256: [],
  timestamp: null,
  refusals: [],
  reportSeq: 0,
  commands: [],
  commandsSeen: [],
};

const max = { history: 32, refusedSha256: 64, refusals: 32, commands: 16, commandsSeen: 256 } as const;

/** What a box remembers of its remote configuration over restarts, sealed. */
export class RemoteState {
  readonly #note: Note<RemoteMemory>;

  private constructor(note: Note<RemoteMemory>) {
    this.#note = note;
  }

  /** A file that cannot be read counts as none: receiving images never waits for it. @param damaged is told of it */
  static async open(file: SealedFile, damaged: (error: unknown) => void): Promise<RemoteState> {
    return new RemoteState(await Note.open(file, { schema: memory, empty: nothing }, damaged));
  }

  get value(): RemoteMemory {
    return this.#note.value;
  }

  /** This box belongs to a fleet from now on; what was seen of another one counts no more. Durable once it resolves. */
  enrol(enrolment: NonNullable<RemoteMemory['enrolment']>): Promise<void> {
    const forgotten = {
      seen: null,
      applied: null,
      waiting: null,
      latest: null,
      timestamp: null,
      refusals: [],
    };
    return this.change(() => ({ ...forgotten, enrolment }));
  }

  /** Durable once it resolves; the oldest entries of what is too long go. @throws whatever the file throws */
  change(edit: (value: RemoteMemory) => Partial<RemoteMemory>): Promise<void> {
    return this.#note.change((value) => {
      const next = { ...value, ...edit(value) };
      return {
        ...next,
        history: next.history.slice(-max.history),
        refusedSha256: next.refusedSha256.slice(-max.refusedSha256),
        refusals: next.refusals.slice(-max.refusals),
        commands: next.commands.slice(-max.commands),
        commandsSeen: next.commandsSeen.slice(-max.commandsSeen),
      };
    });
  }
}
