import dimse from 'dcmjs-dimse';
import { verificationSopClass } from '../dicom/sop-classes.ts';
import { faultCode } from './client-fault.ts';
import { DimseAssociation } from './dimse-association.ts';
import { type DimseLimits, dimseLimits } from './dimse-wire.ts';

export interface EchoTarget {
  readonly host: string;
  readonly port: number;
  /** The peer's. */
  readonly aeTitle: string;
  /** Ours. */
  readonly callingAeTitle: string;
}

/**
 * What became of a C-ECHO. `code` is one of `faultText`, or `ECHO_NOT_OFFERED` where the peer took the association
 * and not the Verification SOP class, or `ECHO_STATUS` where it answered with another status than Success.
 */
export type EchoAnswer =
  | { readonly ok: true; readonly milliseconds: number }
  | { readonly ok: false; readonly code: string };

/** Somebody waits in front of a page. */
const echoLimits: DimseLimits = {
  ...dimseLimits,
  connectMs: 5000,
  associateMs: 10_000,
  answerIdleMs: 10_000,
};

const implicitVrLittleEndian = '1.2.840.10008.1.2';
const verification = { sopClass: verificationSopClass, transferSyntaxes: [implicitVrLittleEndian] };

/** C-ECHO (PS3.7 §9.1.5) over an association of its own. Resolves always, within some 30 seconds. */
export async function echo(target: EchoTarget, limits: Partial<DimseLimits> = {}): Promise<EchoAnswer> {
  const { host, port, aeTitle: calledAeTitle, callingAeTitle } = target;
  const startedAt = performance.now();
  let association: DimseAssociation | null = null;
  try {
    const peer = { host, port, calledAeTitle, callingAeTitle, tls: null };
    association = await DimseAssociation.open(peer, [verification], { ...echoLimits, ...limits });
    if (association.negotiated(verification.sopClass, implicitVrLittleEndian)?.accepted !== true) {
      await association.release();
      return { ok: false, code: 'ECHO_NOT_OFFERED' };
    }
    const status = await association.query(new dimse.requests.CEchoRequest(), () => undefined);
    const milliseconds = Math.round(performance.now() - startedAt);
    await association.release();
    return status === 0 ? { ok: true, milliseconds } : { ok: false, code: 'ECHO_STATUS' };
  } catch (error) {
    association?.abort();
    return { ok: false, code: faultCode(error) };
  }
}
