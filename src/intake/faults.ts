import type { FailureText } from '../base/errors.ts';

/** What an A-ABORT says (PS3.8 §9.3.8). Source 0 is the service user: our own policy; 2 the provider: the protocol. */
export interface AbortWords {
  readonly source: 0 | 2;
  readonly reason: number;
}

/** Why an association, or a connection before it, is ended by us. */
export interface Fault extends Omit<FailureText, 'kind'> {
  /** Null where the peer does not speak DICOM, or there is no association to abort: the connection just closes. */
  readonly abort: AbortWords | null;
}

/** Thrown where bytes are read; caught by the gate, which ends the association. */
export class ProtocolFault extends Error {
  override readonly name = 'ProtocolFault';
  readonly fault: Fault;

  constructor(fault: Fault) {
    super(fault.message);
    this.fault = fault;
  }
}

/** PS3.8 table 9-26, reasons of the service provider. */
const unrecognisedPdu = { source: 2, reason: 1 } as const;
const unexpectedPdu = { source: 2, reason: 2 } as const;
const unexpectedParameter = { source: 2, reason: 5 } as const;
const invalidParameter = { source: 2, reason: 6 } as const;
/** By the service user, which gives no reason. */
const byPolicy = { source: 0, reason: 0 } as const;

/** Nobody can set anything right where the device breaks the protocol. */
export const senderBroken =
  'Not a matter of network or settings: ask the vendor of the device, and name this code.';

export const faults = {
  http: {
    code: 'HTTP_ON_DICOM_PORT',
    message: 'A web client (HTTP) called the DICOM port.',
    nextStep: 'Use the web port for the browser, or point the monitoring check at the web port.',
    abort: null,
  },
  tls: {
    code: 'TLS_ON_DICOM_PORT',
    message: 'A device spoke TLS to the port for plain DICOM.',
    nextStep:
      'Enter the DICOM TLS port in the device; if this gateway has none yet, set "intake.tls" in its configuration. Or switch TLS off in the device.',
    abort: null,
  },
  notDicom: {
    code: 'NOT_DICOM',
    message: 'The first bytes on the connection are not DICOM.',
    nextStep: 'Check which program calls this port: it is not a DICOM device.',
    abort: null,
  },
  firstPduUnexpected: {
    code: 'FIRST_PDU_UNEXPECTED',
    message: 'The first message on the connection was not an association request.',
    nextStep: senderBroken,
    abort: unexpectedPdu,
  },
  unexpectedPdu: {
    code: 'PDU_UNEXPECTED',
    message: 'A message arrived that has no place at this point of the association.',
    nextStep: senderBroken,
    abort: unexpectedPdu,
  },
  unrecognisedPdu: {
    code: 'PDU_UNRECOGNISED',
    message: 'A message of an unknown type arrived.',
    nextStep: senderBroken,
    abort: unrecognisedPdu,
  },
  associateTooLong: {
    code: 'ASSOCIATE_TOO_LONG',
    message: 'An association request announced a length over the limit; nothing of it was read.',
    nextStep:
      'If it comes from a device, let it propose fewer SOP classes and transfer syntaxes, or raise "associateBytesMax". If not, find out what calls this port.',
    abort: invalidParameter,
  },
  pduTooLong: {
    code: 'PDU_TOO_LONG',
    message: 'A message of the device is longer than the limit; nothing of it was read.',
    nextStep:
      'Set the maximum PDU size in the device to 131072 or less, or raise "pduBytesMax" in the configuration.',
    abort: invalidParameter,
  },
  pduInvalid: {
    code: 'PDU_INVALID',
    message: 'A message contradicts itself: lengths or values inside do not fit.',
    nextStep: senderBroken,
    abort: invalidParameter,
  },
  contextUnknown: {
    code: 'PDV_CONTEXT_UNKNOWN',
    message: 'Data arrived in a presentation context that was never accepted.',
    nextStep: senderBroken,
    abort: invalidParameter,
  },
  outOfOrder: {
    code: 'PDV_OUT_OF_ORDER',
    message: 'Command and data fragments arrived in the wrong order.',
    nextStep: senderBroken,
    abort: unexpectedParameter,
  },
  commandTooLong: {
    code: 'COMMAND_TOO_LONG',
    message: 'A command of the device is longer than any command needs to be.',
    nextStep: senderBroken,
    abort: invalidParameter,
  },
  commandInvalid: {
    code: 'COMMAND_INVALID',
    message: 'A command of the device could not be read.',
    nextStep: senderBroken,
    abort: invalidParameter,
  },
  objectTooLarge: {
    code: 'OBJECT_TOO_LARGE',
    message: 'An object is larger than this gateway takes; nothing of it was kept.',
    nextStep:
      'Raise "objectBytesMax" in the configuration, or let the device split the object; then send it again.',
    abort: byPolicy,
  },
  unwantedTooLong: {
    code: 'UNWANTED_DATA_TOO_LONG',
    message: 'The device asked for a service that is not offered here, with far too much data.',
    nextStep: 'Set the device to send images by C-STORE only; ask its vendor what else it tries.',
    abort: byPolicy,
  },
  associateTimeout: {
    code: 'ASSOCIATE_TIMEOUT',
    message: 'A connection was opened, but no complete association request came in time.',
    nextStep: 'Usually a port scan or a monitoring check. If it is a device, check its network connection.',
    abort: null,
  },
  idleTimeout: {
    code: 'IDLE_TIMEOUT',
    message: 'The device left its association open for too long without sending anything complete.',
    nextStep:
      'Nothing needs to be done: it opens a new one for the next image. If images are missing, send them again.',
    abort: byPolicy,
  },
  tooSlow: {
    code: 'TOO_SLOW',
    message: 'An object was arriving more slowly than the minimum rate; it was not stored.',
    nextStep: 'Check the network between the device and this gateway, then send the study again.',
    abort: byPolicy,
  },
  stopping: {
    code: 'STOPPING',
    message: 'The gateway was shut down while the association was open.',
    nextStep: 'The device sends the rest again once the gateway runs.',
    abort: byPolicy,
  },
  connectionsFull: {
    code: 'CONNECTIONS_FULL',
    message: 'Too many connections are open without an association; this one was closed at once.',
    nextStep:
      'Look in this list for the addresses that open connections and say nothing: a port scan, or a device.',
    abort: null,
  },
  connectionsFullPeer: {
    code: 'CONNECTIONS_FULL_PEER',
    message:
      'This address has too many connections open without an association; this one was closed at once.',
    nextStep: 'Find out what at this address opens connections and says nothing: a port scan, or a device.',
    abort: null,
  },
  notClosed: {
    code: 'CONNECTION_NOT_CLOSED',
    message: 'The association had ended, but the device did not close the connection; it was closed here.',
    nextStep: 'Nothing needs to be done; if the association was aborted, the entry before this one says why.',
    abort: null,
  },
  sentAfterEnd: {
    code: 'SENT_AFTER_END',
    message: 'The association had ended, but the device went on sending; the connection was closed.',
    nextStep: 'Look at the entry before this one for why it ended, and send again what is missing.',
    abort: null,
  },
  peerAborted: {
    code: 'PEER_ABORTED',
    message: 'The device aborted the association; what was not answered counts as not received.',
    nextStep: 'Look at the device for its reason, and send again what it did not get an answer for.',
    abort: null,
  },
  connectionLost: {
    code: 'CONNECTION_LOST',
    message: 'The connection broke without a release; what was not answered counts as not received.',
    nextStep: 'Check the network, and send again what the device did not get an answer for.',
    abort: null,
  },
  leftAtRest: {
    code: 'LEFT_WITHOUT_RELEASE',
    message: 'The device left without releasing its association; nothing was under way.',
    nextStep: 'Nothing needs to be done: every object it sent had been answered.',
    abort: null,
  },
  internal: {
    code: 'INTAKE_INTERNAL',
    message: 'The gateway failed while it handled the association.',
    nextStep: 'Report this code with the log; the device may send again.',
    abort: byPolicy,
  },
} as const satisfies Record<string, Fault>;
