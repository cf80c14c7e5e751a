import { GantryError } from '../base/errors.ts';
import type { HeaderFacts } from '../dicom/header-facts.ts';
import { DataSetInspector, type Inspection } from '../dicom/inspector.ts';
import { errorComment, storeStatuses } from '../dicom/statuses.ts';
import { parseUid, type SOPClassUID, type SOPInstanceUID } from '../dicom/uid.ts';
import type { AdmitOutcome, IncomingObject, SpoolIntake } from '../spool/types.ts';
import type { Caller } from './admission.ts';
import type { CommandSet } from './command-set.ts';
import { faults, ProtocolFault } from './faults.ts';
import type { AcceptedContext } from './negotiation.ts';
import { dataSetNextStep, type ObjectRefusal, objectRefusals } from './object-refusals.ts';
import { spoolRefusal } from './spool-reasons.ts';

export interface StoreDeps {
  readonly spool: SpoolIntake;
  readonly objectBytesMax: number;
}

/** A C-STORE-RQ and what is known about it before its data set. */
export interface StoreRequest {
  readonly command: CommandSet;
  readonly context: AcceptedContext;
  /** Whether this class is taken in at all. */
  readonly sopClassStored: boolean;
  readonly caller: Caller;
  /** The Message ID is that of a request which was still open when this one arrived. */
  readonly messageIdInUse: boolean;
}

/** What the peer is told, and what came of it. */
export type StoreAnswer = { readonly status: number; readonly comment: string } & (
  | { readonly outcome: AdmitOutcome; readonly refusal: null }
  | { readonly outcome: null; readonly refusal: ObjectRefusal['why'] }
);

/**
 * One C-STORE (PS3.4 Annex B): checks the command, streams the data set through the inspector into the spool,
 * compares, commits. A refusal is final and drains the rest of the data set, so that the association lives on.
 */
export class StoreOperation {
  readonly #request: StoreRequest;
  readonly #deps: StoreDeps;
  #inspector: DataSetInspector | null = null;
  #incoming: IncomingObject | null = null;
  /** Resolves once `#incoming` is set, or the refusal. Never rejects. */
  #opening: Promise<void> | undefined;
  #refusal: Extract<StoreAnswer, { outcome: null }> | null = null;
  #cut = false;
  /** Bytes of the data set so far. */
  dataSetBytes = 0;

  constructor(request: StoreRequest, deps: StoreDeps) {
    this.#request = request;
    this.#deps = deps;
  }

  /** @returns a promise while the spool makes room; it never rejects */
  begin(): Promise<void> | undefined {
    const { command, context, caller, messageIdInUse, sopClassStored } = this.#request;
    const SOPClassUID = parseUid<SOPClassUID>(command.AffectedSOPClassUID ?? '');
    const SOPInstanceUID = parseUid<SOPInstanceUID>(command.AffectedSOPInstanceUID ?? '');
    const gate = this.#deps.spool.intakeGate();
    if (messageIdInUse) return this.#refuse(objectRefusals.messageIdInUse);
    if (SOPClassUID === null || SOPClassUID !== context.SOPClassUID || !sopClassStored) {
      return this.#refuse(objectRefusals.sopClass);
    }
    if (SOPInstanceUID === null) return this.#refuse(objectRefusals.instanceUid);
    if (!command.hasDataSet) return this.#refuse(objectRefusals.noDataSet);
    if (!gate.open) {
      return this.#refuse({ status: storeStatuses.outOfResources, why: spoolRefusal(gate.reason) });
    }
    this.#inspector = new DataSetInspector(context.TransferSyntaxUID);
    this.#opening = this.#open({
      TransferSyntaxUID: context.TransferSyntaxUID,
      SOPClassUID,
      SOPInstanceUID,
      callingAeTitle: caller.aeTitle,
      modalityName: caller.modalityName,
      priority: caller.priority,
    });
    return this.#opening;
  }

  /**
   * Takes the next bytes of the data set.
   * @returns a promise while the disk, or an inflating inspector, is behind; it never rejects
   * @throws ProtocolFault OBJECT_TOO_LARGE
   */
  write(bytes: Buffer): Promise<void> | undefined {
    this.dataSetBytes += bytes.length;
    if (this.dataSetBytes > this.#deps.objectBytesMax) throw new ProtocolFault(faults.objectTooLarge);
    if (this.#refusal !== null || this.#inspector === null) return undefined;
    const inspecting = this.#inspector.push(bytes);
    if (inspecting !== undefined) return inspecting.then(() => this.#pass(bytes));
    return this.#pass(bytes);
  }

  /** The data set is complete: compares and makes durable. Never rejects. */
  async finish(): Promise<StoreAnswer> {
    const inspector = this.#inspector;
    if (this.#refusal === null && inspector !== null) {
      this.#inspector = null;
      const inspection = await inspector.finish();
      this.#judge(inspection);
      if (this.#refusal === null && inspection.ok) return this.#commit(inspection.facts);
    }
    await this.cut();
    return this.#refusal ?? refusalAnswer(objectRefusals.internal);
  }

  /** The object will not be completed: nothing of it stays. Never rejects. */
  async cut(): Promise<void> {
    this.#cut = true;
    await this.#opening;
    await this.#abandon();
  }

  async #open(facts: Parameters<SpoolIntake['begin']>[0]): Promise<void> {
    try {
      this.#incoming = await this.#deps.spool.begin(facts);
      if (this.#cut) await this.#abandon();
    } catch (error) {
      await this.#refuseFor(error);
    }
  }

  #pass(bytes: Buffer): Promise<void> | undefined {
    const failure = this.#inspector?.failure ?? null;
    if (failure !== null) {
      this.#judge(failure);
      return this.#abandon();
    }
    try {
      const written = this.#incoming?.write(bytes);
      return written?.catch((error: unknown) => this.#refuseFor(error));
    } catch (error) {
      return this.#refuseFor(error);
    }
  }

  #judge(inspection: Inspection): void {
    if (!inspection.ok) {
      const { code, words } = inspection;
      const why = { code, message: `${words}.`, nextStep: dataSetNextStep };
      this.#refuse({ status: { ...storeStatuses.cannotUnderstand, words }, why });
      return;
    }
    const { command } = this.#request;
    const { SOPClassUID, SOPInstanceUID } = inspection.facts;
    if (SOPInstanceUID === null || SOPClassUID === null) {
      this.#refuse(objectRefusals.uidMissing);
    } else if (
      SOPInstanceUID !== command.AffectedSOPInstanceUID ||
      SOPClassUID !== command.AffectedSOPClassUID
    ) {
      this.#refuse(objectRefusals.uidMismatch);
    }
  }

  async #commit(facts: HeaderFacts): Promise<StoreAnswer> {
    const incoming = this.#incoming;
    this.#incoming = null; // from here on it is the spool's alone to end
    if (incoming === null) return refusalAnswer(objectRefusals.internal);
    const { StudyInstanceUID, SeriesInstanceUID, Modality, InstitutionName, image } = facts;
    try {
      const outcome = await incoming.commit({
        StudyInstanceUID,
        SeriesInstanceUID,
        Modality,
        InstitutionName,
        image,
      });
      return { status: storeStatuses[outcome].status, comment: '', outcome, refusal: null };
    } catch (error) {
      await this.#refuseFor(error);
      return this.#refusal ?? refusalAnswer(objectRefusals.internal);
    }
  }

  #refuse(refusal: ObjectRefusal): undefined {
    this.#refusal ??= refusalAnswer(refusal);
    return undefined;
  }

  /** A700 for what the spool names, 0110 for anything else. */
  #refuseFor(error: unknown): Promise<void> {
    if (error instanceof GantryError && error.code.startsWith('SPOOL_')) {
      const { code, message: words } = error;
      this.#refuse({
        status: { ...storeStatuses.outOfResources, words },
        why: spoolRefusal({ code, words }),
      });
    } else {
      this.#refuse(objectRefusals.internal);
    }
    return this.#abandon();
  }

  async #abandon(): Promise<void> {
    const incoming = this.#incoming;
    const inspector = this.#inspector;
    this.#incoming = null;
    this.#inspector = null;
    // Frees what an inflating inspector holds.
    await Promise.all([incoming?.abort(), inspector?.finish()]);
  }
}

function refusalAnswer({ status, why }: ObjectRefusal): Extract<StoreAnswer, { outcome: null }> {
  return { status: status.status, comment: errorComment(status.words), outcome: null, refusal: why };
}
