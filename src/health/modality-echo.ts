/** What a C-ECHO to a modality showed, for the person who asked for it. */
export interface EchoReport {
  readonly ok: boolean;
  /** Stable, to be read out on the phone; `ECHO_OK` where all is well. */
  readonly code: string;
  readonly words: string;
  readonly nextStep: string | null;
  /** From connecting to the answer; null where there was none. */
  readonly milliseconds: number | null;
}

interface EchoTarget {
  /** Its configured name. */
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly aeTitle: string;
  readonly callingAeTitle: string;
}

type Words = (target: EchoTarget) => readonly [words: string, nextStep: string];

const place = ({ host, port }: EchoTarget): string => `${host}, port ${port}`;

const noRoute: Words = (target) => [
  `There is no network route to ${place(target)}.`,
  'Check the address set for it here, and the network cable, subnet mask and gateway of this box.',
];
const noName: Words = ({ host }) => [
  `The name ${host} cannot be looked up (DNS).`,
  'Use the IP address of the device, or have IT correct the name service.',
];
const timeout: Words = (target) => [
  `Nothing answers at ${place(target)}: the device is off, elsewhere, or a firewall drops the connection.`,
  'Check that the device is on and has this address; then ask IT whether a firewall stands between it and this box.',
];
const busyOrGone: Words = ({ name }) => [
  `"${name}" took the connection and broke it off.`,
  'Try again in a minute; if it stays, restart the DICOM service of the device.',
];
const silent: Words = (target) => [
  `Something took the connection at ${place(target)} and did not answer as DICOM.`,
  'Check the port: it must be the DICOM port of the device, not that of another service.',
];

const wordsByCode: Readonly<Record<string, Words>> = {
  EHOSTUNREACH: noRoute,
  ENETUNREACH: noRoute,
  ENOTFOUND: noName,
  EAI_AGAIN: noName,
  ECONNREFUSED: (target) => [
    `The device is there, but nothing listens at ${place(target)} (connection refused).`,
    'Start the DICOM service of the device, or correct the port set for it here.',
  ],
  ETIMEDOUT: timeout,
  UND_ERR_CONNECT_TIMEOUT: timeout,
  ANSWER_LATE: silent,
  DIMSE_PROTOCOL: silent,
  DIMSE_CALLED_AE: ({ aeTitle }) => [
    `The device says that its AE title is not "${aeTitle}".`,
    'Correct the AE title of the modality here; upper and lower case count.',
  ],
  DIMSE_CALLING_AE: ({ callingAeTitle }) => [
    `The device does not know the AE title of this box, "${callingAeTitle}".`,
    `Enter "${callingAeTitle}" with the address of this box among the remote nodes of the device.`,
  ],
  DIMSE_REJECTED: () => [
    'The device refused the association for good, without saying which AE title is wrong.',
    'Compare both AE titles and both addresses in the device with those shown here.',
  ],
  DIMSE_BUSY: () => [
    'The device takes no association just now: it is busy.',
    'Wait for the examination to end, and try again.',
  ],
  DIMSE_ABORTED: busyOrGone,
  DIMSE_CLOSED: busyOrGone,
  ECONNRESET: busyOrGone,
  EPIPE: busyOrGone,
  ECHO_NOT_OFFERED: () => [
    'The device took the association, but offers no C-ECHO: the network and both AE titles are right.',
    'Send an image from the device to be sure of the other direction.',
  ],
  ECHO_STATUS: () => [
    'The device answered the C-ECHO with an error: the network and both AE titles are right.',
    'Look at the log of the device, or call its service.',
  ],
};

const unknownFault: Words = (target) => [
  `The connection to ${place(target)} failed.`,
  'Check the address, the port and the network between the device and this box.',
];

export function echoReport(
  target: EchoTarget,
  answer:
    | { readonly ok: true; readonly milliseconds: number }
    | { readonly ok: false; readonly code: string },
): EchoReport {
  if (answer.ok) {
    const { milliseconds } = answer;
    const words = `"${target.name}" answered at ${place(target)} in ${milliseconds} ms.`;
    return { ok: true, code: 'ECHO_OK', words, nextStep: null, milliseconds };
  }
  const { code } = answer;
  const known = Object.hasOwn(wordsByCode, code) ? wordsByCode[code] : undefined;
  const [words, nextStep] = (known ?? unknownFault)(target);
  return { ok: false, code, words, nextStep, milliseconds: null };
}
