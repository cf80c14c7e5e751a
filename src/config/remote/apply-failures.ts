import { type FailureText, GantryError } from '../../base/errors.ts';
import type { AttemptRecord } from './state.ts';

/** Why a configuration is not in use, or cannot be handled now. */
export const applyFailures = {
  underWay: {
    code: 'APPLY_UNDER_WAY',
    kind: 'transient',
    message: 'Another configuration is being tried at the moment.',
    nextStep: 'Confirm it or take it back first: "gantry config confirm" or "gantry config rollback".',
  },
  nothing: {
    code: 'APPLY_NOTHING',
    kind: 'permanent',
    message: 'No configuration waits for confirmation.',
    nextStep: 'Look at "gantry config history": it may have been confirmed, or gone back, already.',
  },
  interrupted: {
    code: 'APPLY_INTERRUPTED',
    kind: 'transient',
    message: 'The gateway ended while a configuration was being tried; the one before is in use.',
    nextStep: 'Apply it again if it was not the reason.',
  },
  rolledBack: {
    code: 'APPLY_TAKEN_BACK',
    path: null,
    message: 'Somebody took it back before it was confirmed.',
    nextStep: 'Ask who did so, and why, before it is tried again.',
  },
  unconfirmed: {
    code: 'APPLY_NOT_CONFIRMED',
    kind: 'transient',
    message: 'Nobody confirmed it in time.',
    nextStep: 'Apply it again, and confirm it with "gantry config confirm".',
  },
  late: {
    code: 'APPLY_NO_CONTACT',
    kind: 'transient',
    message: 'Under it, there was no way back to central IT in time.',
    nextStep: 'Look at the settings of the line to central IT: proxy, addresses, certificates.',
  },
  central: {
    code: 'CONFIG_CENTRAL',
    kind: 'permanent',
    message: 'Central IT configures this box; a file given here is not taken.',
    nextStep: 'Ask central IT for the change.',
  },
  notLocal: {
    code: 'CONFIG_NOT_LOCAL',
    kind: 'permanent',
    message: 'Central IT keeps this setting to itself.',
    nextStep: 'Ask central IT for the change, or to name it under "remote.localSettings".',
  },
  nothingWaits: {
    code: 'APPLY_NOTHING_WAITS',
    kind: 'permanent',
    message: 'No configuration of central IT waits for its time.',
    nextStep: 'Look at "gantry config show".',
  },
  commandOff: {
    code: 'FLEET_COMMAND_OFF',
    kind: 'permanent',
    message: 'This box does not take this command from central IT.',
    nextStep: 'Name it under "remote.commands" in its configuration.',
  },
  notEnrolled: {
    code: 'FLEET_NOT_ENROLLED',
    kind: 'permanent',
    message: 'This box belongs to no fleet.',
    nextStep: 'Enrol it with a claim code of central IT.',
  },
} as const satisfies Record<string, FailureText | NonNullable<AttemptRecord['error']>>;

/** What is remembered and reported of a failure: no secret, nothing of a patient. */
export function failureOf(error: unknown): NonNullable<AttemptRecord['error']> {
  if (error instanceof ApplyRefusal)
    return { code: error.code, path: error.path, message: error.message, nextStep: error.nextStep };
  if (error instanceof GantryError || isText(error)) {
    return { code: error.code, path: null, message: error.message, nextStep: error.nextStep };
  }
  return {
    code: 'INTERNAL',
    path: null,
    message: 'A part of the gateway failed under it.',
    nextStep: 'Send a support bundle to whoever maintains this box.',
  };
}

function isText(error: unknown): error is FailureText {
  return typeof error === 'object' && error !== null && 'code' in error && 'nextStep' in error;
}

/** A configuration that would not work, and the setting it is about. */
export class ApplyRefusal extends GantryError {
  /** JSON pointer (RFC 6901). */
  readonly path: string;

  constructor(path: string, text: FailureText) {
    super(text);
    this.path = path;
  }
}
