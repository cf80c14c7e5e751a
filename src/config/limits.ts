import { z } from 'zod';

const kibibyte = 1024;
const mebibyte = 1024 * kibibyte;
const gibibyte = 1024 * mebibyte;

/** A whole number of something, with a default and safe bounds. */
function limit(min: number, max: number, preset: number, what: string) {
  return z.int().min(min).max(max).default(preset).describe(what);
}

/** A part of another limit. Where nothing is given, `fillLimits` puts what fits that one. */
function limitOfPart(max: number, what: string) {
  return z.int().min(1).max(max).optional().describe(what);
}

const hour = 3_600_000;

/*
 * Upper bounds keep what peers can make the box hold in proportion to its memory and its open files; lower ones
 * keep a device that goes by the standard from being locked out.
 */
export const intakeLimits = z
  .strictObject({
    associationsMax: limit(
      1,
      1000,
      64,
      'Associations at the same time, in total. One more is asked to try again later.',
    ),
    associationsPerPeerMax: limitOfPart(
      1000,
      'Associations at the same time from one IP address. Absent: 16, or the total where that is less.',
    ),
    idleConnectionsMax: limit(
      2,
      1000,
      64,
      'Connections without an association at the same time (not yet, or no longer), in total. One more is closed at once.',
    ),
    idleConnectionsPerPeerMax: limitOfPart(
      1000,
      'Connections without an association from one IP address. Absent: 16, or the total where that is less.',
    ),
    handshakesMax: limitOfPart(
      500,
      'Of the connections without an association, those over TLS whose handshake is not finished, in total; fewer than "idleConnectionsMax", which leaves places to devices that call in clear. Absent: 32, or half of it where that is less.',
    ),
    associateWaitMs: limit(
      1000,
      120_000,
      10_000,
      'How long a new connection may take to send its whole A-ASSOCIATE-RQ, a TLS handshake included, in milliseconds.',
    ),
    acseMs: limit(
      1000,
      300_000,
      30_000,
      'How long a peer may take to close its connection after the association has ended, in milliseconds.',
    ),
    idleMs: limit(
      1000,
      hour,
      60_000,
      'How long a peer may stay silent between messages before its association is aborted, in milliseconds.',
    ),
    rateBytesPerSecondMin: limit(
      1,
      mebibyte,
      1024,
      'Least speed at which an object must arrive, in bytes per second, on average over "rateWindowMs"; time in which this box holds the device back does not count.',
    ),
    rateWindowMs: limit(
      1000,
      hour,
      60_000,
      'Over how long that average is taken, in milliseconds: the longest pause there may be within an object.',
    ),
    associateBytesMax: limit(
      32 * kibibyte,
      4 * mebibyte,
      mebibyte,
      'Longest A-ASSOCIATE-RQ that is taken, in bytes.',
    ),
    presentationContextsMax: limit(
      16,
      128,
      128,
      'Presentation contexts one association may propose. DICOM itself ends at 128; many devices propose 50 and more.',
    ),
    transferSyntaxesPerContextMax: limit(
      8,
      256,
      64,
      'Transfer syntaxes one presentation context may propose.',
    ),
    pduBytesAnnounced: limit(
      4 * kibibyte,
      mebibyte,
      128 * kibibyte,
      'Length of P-DATA PDU that devices are asked to keep to, in bytes. Longer ones are counted.',
    ),
    pduBytesMax: limit(
      128 * kibibyte,
      16 * mebibyte,
      mebibyte,
      'Longest P-DATA PDU that is taken all the same, in bytes.',
    ),
    commandBytesMax: limit(
      4 * kibibyte,
      mebibyte,
      64 * kibibyte,
      'Longest command set that is taken, in bytes; it is held in memory.',
    ),
    objectBytesMax: limit(
      mebibyte,
      1024 * gibibyte,
      16 * gibibyte,
      'Longest data set that is taken, in bytes; an association that sends a longer one is aborted.',
    ),
    otherDataSetBytesMax: limit(
      4 * kibibyte,
      64 * mebibyte,
      mebibyte,
      'Longest data set that may come with a service that is not offered here, in bytes; it is thrown away.',
    ),
    lingerBytesMax: limit(
      mebibyte,
      gibibyte,
      64 * mebibyte,
      'What a peer may still send after its association has ended, in bytes; it is thrown away.',
    ),
  })
  .prefault({})
  .describe('Bounds on what peers may take up. The defaults suit almost every clinic.');

type Limits = z.output<typeof intakeLimits>;

/** Rules that span two limits. @param fail called with the limit to change, what is wrong with it and what to do */
export function checkLimits(
  limits: Limits,
  fail: (name: keyof Limits, message: string, suggestion: string) => void,
): void {
  for (const [part, whole] of [
    ['associationsPerPeerMax', 'associationsMax'],
    ['idleConnectionsPerPeerMax', 'idleConnectionsMax'],
    ['pduBytesAnnounced', 'pduBytesMax'],
  ] as const) {
    const value = limits[part];
    if (value !== undefined && value > limits[whole])
      fail(part, `is more than "${whole}", which is ${limits[whole]}`, `Lower it, or raise "${whole}".`);
  }
  const { handshakesMax, idleConnectionsMax } = limits;
  if (handshakesMax !== undefined && handshakesMax >= idleConnectionsMax)
    fail(
      'handshakesMax',
      `leaves no connection to those without TLS: "idleConnectionsMax" is ${idleConnectionsMax}`,
      'Lower it, or raise "idleConnectionsMax".',
    );
}

const perPeerPreset = 16;
const handshakesPreset = 32;

/** The limits with those filled in whose default hangs on another. */
export function fillLimits(limits: Limits) {
  const { associationsMax, idleConnectionsMax, associationsPerPeerMax, idleConnectionsPerPeerMax } = limits;
  return {
    ...limits,
    associationsPerPeerMax: associationsPerPeerMax ?? Math.min(perPeerPreset, associationsMax),
    idleConnectionsPerPeerMax: idleConnectionsPerPeerMax ?? Math.min(perPeerPreset, idleConnectionsMax),
    handshakesMax: limits.handshakesMax ?? Math.min(handshakesPreset, Math.floor(idleConnectionsMax / 2)),
  };
}
