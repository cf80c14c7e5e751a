import type { FailureText } from '../base/errors.ts';
import { type StoreStatus, storeStatuses } from '../dicom/statuses.ts';
import { senderBroken } from './faults.ts';

/** Why an object is not taken, PHI-free, and what the device is told. */
export interface ObjectRefusal {
  readonly status: StoreStatus;
  readonly why: Omit<FailureText, 'kind'>;
}

/** For all that the inspector finds. */
export const dataSetNextStep =
  'Send the object again. If it is refused again, it is broken at the device: ask its vendor, and name this code.';

export const objectRefusals = {
  messageIdInUse: {
    status: storeStatuses.duplicateMessageId,
    why: {
      code: 'MESSAGE_ID_IN_USE',
      message: 'The device used one message number for two objects at once.',
      nextStep: senderBroken,
    },
  },
  sopClass: {
    status: storeStatuses.sopClassRefused,
    why: {
      code: 'SOP_CLASS_REFUSED',
      message: 'The object is of a class that is not stored here, or not the one agreed on.',
      nextStep:
        'If the class is private or new, set "unknownSopClasses" to "accept" in the configuration; if not, ask the vendor.',
    },
  },
  instanceUid: {
    status: storeStatuses.cannotUnderstand,
    why: {
      code: 'ILLEGAL_INSTANCE_UID',
      message: 'The device named the object by something that is not a legal UID.',
      nextStep: senderBroken,
    },
  },
  noDataSet: {
    status: storeStatuses.cannotUnderstand,
    why: {
      code: 'NO_DATA_SET',
      message: 'The device sent an object without any data.',
      nextStep: senderBroken,
    },
  },
  uidMissing: {
    status: {
      ...storeStatuses.mismatch,
      words: 'The data set has no SOP Instance or SOP Class UID',
    },
    why: {
      code: 'UID_MISSING',
      message: 'The object does not say which instance or class it is.',
      nextStep: senderBroken,
    },
  },
  uidMismatch: {
    status: storeStatuses.mismatch,
    why: {
      code: 'UID_MISMATCH',
      message: 'The object inside is not the one the device announced.',
      nextStep: senderBroken,
    },
  },
  internal: {
    status: storeStatuses.processingFailure,
    why: {
      code: 'STORE_FAILED',
      message: 'The gateway failed while it stored the object; nothing of it was kept.',
      nextStep: 'Send the object again. If it is refused again, report this code with the log.',
    },
  },
} as const satisfies Record<string, ObjectRefusal>;
