/** Why a document from central IT was not taken: a code of {@link fleetRefusals}. */
export type FleetRefusalCode = keyof typeof fleetRefusals;

export interface FleetRefusal {
  readonly code: FleetRefusalCode;
  readonly message: string;
  readonly nextStep: string;
}

/** Every refusal of a document, in plain words, and what to do. After any of them nothing has changed on the box. */
export const fleetRefusals = {
  FLEET_TOO_LARGE: {
    message: 'The document is larger than 64 KiB.',
    nextStep: 'Check what the server or broker hands out; split what the layers hold.',
  },
  FLEET_UNREADABLE: {
    message: 'The bytes are not a document of this kind.',
    nextStep: 'Check what the server, broker or stick hands out, and publish again.',
  },
  FLEET_SIGNATURE: {
    message: 'No key that this box trusts for this has signed the document.',
    nextStep:
      'Sign it with a key of the trust document; if nobody knows where it comes from, treat it as an attack.',
  },
  FLEET_THRESHOLD: {
    message: 'Fewer different keys have signed the document than the trust document asks for.',
    nextStep: 'Have it signed by further holders of keys, and publish again.',
  },
  FLEET_REDIRECT_THRESHOLD: {
    message: 'The document changes where patient data goes, and fewer keys have approved that than have to.',
    nextStep: 'Have the change looked at, and approved with "gantry fleet approve".',
  },
  FLEET_WRONG_FLEET: {
    message: 'The document belongs to another fleet.',
    nextStep: 'Check the address in the section "remote" of this box.',
  },
  FLEET_WRONG_DEVICE: {
    message: 'The document is for another box.',
    nextStep: 'Check what the server or broker hands out under the name of this box.',
  },
  FLEET_ROLLBACK: {
    message: 'A newer document has been seen already.',
    nextStep:
      'Nothing to do where an old copy came late. To go back, publish old content as a new generation.',
  },
  FLEET_SAME_GENERATION: {
    message: 'There are two different documents of the same number.',
    nextStep: 'Find out who signed both; publish the right one under a higher number.',
  },
  FLEET_TRUST_GAP: {
    message: 'Trust documents between the one of this box and the newest are missing.',
    nextStep: 'Publish the whole chain ("trust.jws"), or enrol the box anew.',
  },
  FLEET_TRUST_UNUSABLE: {
    message: 'The trust document asks for more signatures than it names keys, or names a key wrongly.',
    nextStep: 'Correct it: with it nothing could ever be signed again.',
  },
  FLEET_TRUST_OLD: {
    message: 'The timestamp was made under an older trust document than the one of this box.',
    nextStep: 'Sign a new timestamp with "gantry fleet timestamp".',
  },
  FLEET_PROOF: {
    message: 'The proof beside the timestamp does not belong to it.',
    nextStep: 'Publish again; if it stays so, treat it as an attack.',
  },
  FLEET_CERTIFICATE: {
    message: 'The certificate is not one for boxes by the authority of this fleet, or it has been revoked.',
    nextStep: 'Issue it with the authority that the trust document names ("gantry fleet ca show").',
  },
  FLEET_CERTIFICATE_KEY: {
    message: 'The certificate is for another key than those of this box.',
    nextStep:
      'Nothing to do where an old one came late. Else collect the report of this box, and issue one for what it asks now.',
  },
  FLEET_EXPIRED: {
    message: 'The command has expired.',
    nextStep: 'Send it again. If it came at once, compare the clocks.',
  },
  FLEET_EARLY: {
    message: 'The command comes from the future.',
    nextStep: 'Compare the clock of this box with that of whoever signs.',
  },
  FLEET_CLOCK: {
    message: 'The command expires, and the clock of this box is not trusted.',
    nextStep: 'Set the clock of the box (NTP), and send the command again.',
  },
  FLEET_REPLAY: {
    message: 'The command has been carried out already.',
    nextStep: 'Nothing to do where it came twice. To have it done again, sign a new one.',
  },
} as const;

export function refusal(code: FleetRefusalCode): { readonly ok: false; readonly refusal: FleetRefusal } {
  return { ok: false, refusal: { code, ...fleetRefusals[code] } };
}

/** What a check says that may refuse. */
export type Refused = ReturnType<typeof refusal>;
