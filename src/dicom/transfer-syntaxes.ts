/** How a data set is encoded (PS3.5 §10 and Annex A; registry in PS3.6 Table A-1). */
export interface TransferSyntax {
  readonly uid: string;
  readonly name: string;
  readonly explicitVr: boolean;
  readonly bigEndian: boolean;
  /** The whole data set is one raw deflate stream (RFC 1951). */
  readonly deflated: boolean;
  /** Pixel data is a sequence of compressed fragments. */
  readonly encapsulated: boolean;
  /** Its compression is reversible by definition (false also where a syntax allows both). */
  readonly lossless: boolean;
}

type Encoding = Omit<TransferSyntax, 'uid' | 'name'>;

const native: Encoding = {
  explicitVr: true,
  bigEndian: false,
  deflated: false,
  encapsulated: false,
  lossless: true,
};
const implicit: Encoding = { ...native, explicitVr: false };
const bigEndian: Encoding = { ...native, bigEndian: true };
const deflated: Encoding = { ...native, deflated: true };
const reversible: Encoding = { ...native, encapsulated: true };
const lossy: Encoding = { ...native, encapsulated: true, lossless: false };

/** Every transfer syntax of the current standard, retired ones and GE's DLX syntax, all still seen in the field. */
const registry: readonly (readonly [uid: string, encoding: Encoding, name: string])[] = [
  ['1.2.840.10008.1.2', implicit, 'Implicit VR Little Endian'],
  ['1.2.840.10008.1.2.1', native, 'Explicit VR Little Endian'],
  ['1.2.840.10008.1.2.1.98', reversible, 'Encapsulated Uncompressed Explicit VR Little Endian'],
  ['1.2.840.10008.1.2.1.99', deflated, 'Deflated Explicit VR Little Endian'],
  ['1.2.840.10008.1.2.2', bigEndian, 'Explicit VR Big Endian'],
  ['1.2.840.10008.1.2.4.50', lossy, 'JPEG Baseline (Process 1)'],
  ['1.2.840.10008.1.2.4.51', lossy, 'JPEG Extended (Process 2 and 4)'],
  ['1.2.840.10008.1.2.4.52', lossy, 'JPEG Extended (Process 3 and 5)'],
  ['1.2.840.10008.1.2.4.53', lossy, 'JPEG Spectral Selection, Non-Hierarchical (Process 6 and 8)'],
  ['1.2.840.10008.1.2.4.54', lossy, 'JPEG Spectral Selection, Non-Hierarchical (Process 7 and 9)'],
  ['1.2.840.10008.1.2.4.55', lossy, 'JPEG Full Progression, Non-Hierarchical (Process 10 and 12)'],
  ['1.2.840.10008.1.2.4.56', lossy, 'JPEG Full Progression, Non-Hierarchical (Process 11 and 13)'],
  ['1.2.840.10008.1.2.4.57', reversible, 'JPEG Lossless, Non-Hierarchical (Process 14)'],
  ['1.2.840.10008.1.2.4.58', reversible, 'JPEG Lossless, Non-Hierarchical (Process 15)'],
  ['1.2.840.10008.1.2.4.59', lossy, 'JPEG Extended, Hierarchical (Process 16 and 18)'],
  ['1.2.840.10008.1.2.4.60', lossy, 'JPEG Extended, Hierarchical (Process 17 and 19)'],
  ['1.2.840.10008.1.2.4.61', lossy, 'JPEG Spectral Selection, Hierarchical (Process 20 and 22)'],
  ['1.2.840.10008.1.2.4.62', lossy, 'JPEG Spectral Selection, Hierarchical (Process 21 and 23)'],
  ['1.2.840.10008.1.2.4.63', lossy, 'JPEG Full Progression, Hierarchical (Process 24 and 26)'],
  ['1.2.840.10008.1.2.4.64', lossy, 'JPEG Full Progression, Hierarchical (Process 25 and 27)'],
  ['1.2.840.10008.1.2.4.65', reversible, 'JPEG Lossless, Hierarchical (Process 28)'],
  ['1.2.840.10008.1.2.4.66', reversible, 'JPEG Lossless, Hierarchical (Process 29)'],
  [
    '1.2.840.10008.1.2.4.70',
    reversible,
    'JPEG Lossless, Non-Hierarchical, First-Order Prediction (Process 14 [Selection Value 1])',
  ],
  ['1.2.840.10008.1.2.4.80', reversible, 'JPEG-LS Lossless Image Compression'],
  ['1.2.840.10008.1.2.4.81', lossy, 'JPEG-LS Lossy (Near-Lossless) Image Compression'],
  ['1.2.840.10008.1.2.4.90', reversible, 'JPEG 2000 Image Compression (Lossless Only)'],
  ['1.2.840.10008.1.2.4.91', lossy, 'JPEG 2000 Image Compression'],
  [
    '1.2.840.10008.1.2.4.92',
    reversible,
    'JPEG 2000 Part 2 Multi-component Image Compression (Lossless Only)',
  ],
  ['1.2.840.10008.1.2.4.93', lossy, 'JPEG 2000 Part 2 Multi-component Image Compression'],
  ['1.2.840.10008.1.2.4.94', native, 'JPIP Referenced'],
  ['1.2.840.10008.1.2.4.95', deflated, 'JPIP Referenced Deflate'],
  ['1.2.840.10008.1.2.4.100', lossy, 'MPEG2 Main Profile / Main Level'],
  ['1.2.840.10008.1.2.4.100.1', lossy, 'Fragmentable MPEG2 Main Profile / Main Level'],
  ['1.2.840.10008.1.2.4.101', lossy, 'MPEG2 Main Profile / High Level'],
  ['1.2.840.10008.1.2.4.101.1', lossy, 'Fragmentable MPEG2 Main Profile / High Level'],
  ['1.2.840.10008.1.2.4.102', lossy, 'MPEG-4 AVC/H.264 High Profile / Level 4.1'],
  ['1.2.840.10008.1.2.4.102.1', lossy, 'Fragmentable MPEG-4 AVC/H.264 High Profile / Level 4.1'],
  ['1.2.840.10008.1.2.4.103', lossy, 'MPEG-4 AVC/H.264 BD-compatible High Profile / Level 4.1'],
  [
    '1.2.840.10008.1.2.4.103.1',
    lossy,
    'Fragmentable MPEG-4 AVC/H.264 BD-compatible High Profile / Level 4.1',
  ],
  ['1.2.840.10008.1.2.4.104', lossy, 'MPEG-4 AVC/H.264 High Profile / Level 4.2 For 2D Video'],
  ['1.2.840.10008.1.2.4.104.1', lossy, 'Fragmentable MPEG-4 AVC/H.264 High Profile / Level 4.2 For 2D Video'],
  ['1.2.840.10008.1.2.4.105', lossy, 'MPEG-4 AVC/H.264 High Profile / Level 4.2 For 3D Video'],
  ['1.2.840.10008.1.2.4.105.1', lossy, 'Fragmentable MPEG-4 AVC/H.264 High Profile / Level 4.2 For 3D Video'],
  ['1.2.840.10008.1.2.4.106', lossy, 'MPEG-4 AVC/H.264 Stereo High Profile / Level 4.2'],
  ['1.2.840.10008.1.2.4.106.1', lossy, 'Fragmentable MPEG-4 AVC/H.264 Stereo High Profile / Level 4.2'],
  ['1.2.840.10008.1.2.4.107', lossy, 'HEVC/H.265 Main Profile / Level 5.1'],
  ['1.2.840.10008.1.2.4.108', lossy, 'HEVC/H.265 Main 10 Profile / Level 5.1'],
  ['1.2.840.10008.1.2.4.110', reversible, 'JPEG XL Lossless'],
  // Recompression itself loses nothing: the original JPEG can be restored from it bit for bit.
  ['1.2.840.10008.1.2.4.111', reversible, 'JPEG XL JPEG Recompression'],
  ['1.2.840.10008.1.2.4.112', lossy, 'JPEG XL'],
  ['1.2.840.10008.1.2.4.201', reversible, 'High-Throughput JPEG 2000 Image Compression (Lossless Only)'],
  [
    '1.2.840.10008.1.2.4.202',
    reversible,
    'High-Throughput JPEG 2000 with RPCL Options Image Compression (Lossless Only)',
  ],
  ['1.2.840.10008.1.2.4.203', lossy, 'High-Throughput JPEG 2000 Image Compression'],
  ['1.2.840.10008.1.2.4.204', native, 'JPIP HTJ2K Referenced'],
  ['1.2.840.10008.1.2.4.205', deflated, 'JPIP HTJ2K Referenced Deflate'],
  ['1.2.840.10008.1.2.5', reversible, 'RLE Lossless'],
  ['1.2.840.10008.1.2.6.1', native, 'RFC 2557 MIME encapsulation'],
  ['1.2.840.10008.1.2.6.2', native, 'XML Encoding'],
  ['1.2.840.10008.1.2.7.1', native, 'SMPTE ST 2110-20 Uncompressed Progressive Active Video'],
  ['1.2.840.10008.1.2.7.2', native, 'SMPTE ST 2110-20 Uncompressed Interlaced Active Video'],
  ['1.2.840.10008.1.2.7.3', native, 'SMPTE ST 2110-30 PCM Digital Audio'],
  ['1.2.840.10008.1.2.8.1', reversible, 'Deflated Image Frame Compression'],
  ['1.2.840.10008.1.20', implicit, 'Papyrus 3 Implicit VR Little Endian'],
  // Only its pixel words are big endian; the structure is plain Implicit VR Little Endian.
  ['1.2.840.113619.5.2', implicit, 'Implicit VR Big Endian DLX (GE, private)'],
];

export const knownTransferSyntaxes: ReadonlyMap<string, TransferSyntax> = new Map(
  registry.map(([uid, encoding, name]) => [uid, { uid, name, ...encoding }]),
);

/**
 * The encoding behind a UID. A UID not in the table is taken as Explicit VR Little Endian that may hold
 * fragments, not deflated: what PS3.5 Annex A.4 says of every compressed syntax registered so far. That is
 * enough, because Gantry never decodes: it only follows lengths.
 */
export function transferSyntax(uid: string): TransferSyntax {
  return knownTransferSyntaxes.get(uid) ?? { uid, name: 'Unknown transfer syntax', ...lossy };
}

/** The syntax's name, or the UID where it is not a standard one (fit for a conformance page, not for logs). */
export function transferSyntaxName(uid: string): string {
  return knownTransferSyntaxes.get(uid)?.name ?? uid;
}

/** Pixels that lie elsewhere (JPIP), live streams (SMPTE) and retired wrappers: nothing to keep an object in. */
const unfitForKeeping = /^1\.2\.840\.10008\.1\.2\.(?:4\.(?:94|95|204|205)|6\.[12]|7\.[123])$/;

/**
 * Chooses one of the transfer syntaxes proposed for a presentation context. All are acceptable, since
 * received bytes are kept as they are; so the choice is about what the modality will do to get there and what
 * an archive will take. Best first, and in the modality's own order among equals:
 *
 * 1. Compressed: fewer bytes over the line, and the modality spends the work. A syntax that may be lossy
 *    counts only where it is named before every uncompressed one: then it is the modality's own wish (or how
 *    its objects already are); otherwise our choice could be what degrades an image.
 * 2. Explicit VR Little Endian: what every archive and DICOMweb itself takes.
 * 3. Deflated: the same with fewer bytes, but refused by several archives.
 * 4. Explicit VR Big Endian: retired, yet it keeps the VRs of private elements, which implicit VR loses.
 * 5. Implicit VR Little Endian: the default every sender must offer.
 * 6. Lossy syntaxes named after an uncompressed one.
 * 7. Unknown ones, and those that hold no pixel data: an archive is unlikely to know what to do with them.
 *
 * @returns null where nothing was proposed
 */
export function preferredTransferSyntax(proposed: readonly string[]): string | null {
  let best: string | null = null;
  let bestRank = Number.POSITIVE_INFINITY;
  let uncompressedSeen = false;
  for (const uid of proposed) {
    const rank = preferenceRank(uid, uncompressedSeen);
    if (rank < bestRank) [best, bestRank] = [uid, rank];
    uncompressedSeen ||= knownTransferSyntaxes.get(uid)?.encapsulated === false;
  }
  return best;
}

/** The number in the list above. */
function preferenceRank(uid: string, uncompressedSeen: boolean): number {
  const syntax = knownTransferSyntaxes.get(uid);
  if (syntax === undefined || unfitForKeeping.test(uid)) return 7;
  if (syntax.encapsulated) return syntax.lossless || !uncompressedSeen ? 1 : 6;
  if (syntax.deflated) return 3;
  if (syntax.bigEndian) return 4;
  return syntax.explicitVr ? 2 : 5;
}
