import type {
  AdmissionFacts,
  AdmitOutcome,
  DataSetFacts,
  IncomingObject,
  IntakeGate,
  SpoolIntake,
} from '../../src/spool/types.ts';

export interface RecordedObject {
  readonly facts: AdmissionFacts;
  readonly chunks: Buffer[];
  bytes: number;
  state: 'incoming' | 'committed' | 'aborted';
  dataSetFacts: DataSetFacts | null;
}

/** A spool that keeps everything in memory and fails, or waits, when told to. */
export class RecorderSpool implements SpoolIntake {
  readonly objects: RecordedObject[] = [];
  gate: IntakeGate = { open: true };
  outcome: AdmitOutcome = 'stored';
  keepBytes = true;
  onBegin: () => Promise<void> | void = () => undefined;
  /** Called before each write; a promise makes the writer wait, a throw is a disk fault. */
  onWrite: (object: RecordedObject) => Promise<void> | undefined = () => undefined;
  onCommit: (object: RecordedObject) => Promise<void> | void = () => undefined;
  #watchers: (() => void)[] = [];

  intakeGate(): IntakeGate {
    return this.gate;
  }

  async begin(facts: AdmissionFacts): Promise<IncomingObject> {
    await this.onBegin();
    const object: RecordedObject = { facts, chunks: [], bytes: 0, state: 'incoming', dataSetFacts: null };
    this.objects.push(object);
    this.#changed();
    return {
      write: (bytes) => {
        const wait = this.onWrite(object);
        object.bytes += bytes.length;
        if (this.keepBytes) object.chunks.push(bytes);
        this.#changed();
        return wait;
      },
      commit: async (dataSetFacts) => {
        this.#end(object);
        object.dataSetFacts = dataSetFacts;
        this.#changed();
        await this.onCommit(object);
        object.state = 'committed';
        this.#changed();
        return this.outcome;
      },
      abort: () => {
        this.#end(object);
        object.state = 'aborted';
        this.#changed();
        return Promise.resolve();
      },
    };
  }

  /** Resolves as soon as the condition holds. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#watchers.push(resolve));
  }

  /** Resolves once the object with this index is being committed. */
  untilCommitting(index: number): Promise<void> {
    return this.until(() => (this.objects[index]?.dataSetFacts ?? null) !== null);
  }

  dataSet(index: number): Buffer {
    return Buffer.concat(this.objects[index]?.chunks ?? []);
  }

  /** Exactly one of commit and abort ends an object. */
  #end(object: RecordedObject): void {
    if (object.state !== 'incoming' || object.dataSetFacts !== null)
      throw new Error('object was ended twice');
  }

  #changed(): void {
    const watchers = this.#watchers;
    this.#watchers = [];
    for (const wake of watchers) wake();
  }
}
