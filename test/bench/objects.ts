import { randomFillSync } from 'node:crypto';
import { encodeDataSet } from '../../src/demo/dicom-writer.ts';
import type { ProposedContext, StoreRequest } from '../../src/demo/dimse-sender.ts';
import type { SOPClassUID, SOPInstanceUID, TransferSyntaxUID } from '../../src/dicom/uid.ts';

/** The objects the load generator sends. */
export const objectSizes = {
  mr: { name: '32 kB MR', modality: 'MR', rows: 128, columns: 128, sopClass: '1.2.840.10008.5.1.4.1.1.4' },
  ct: { name: '525 kB CT', modality: 'CT', rows: 512, columns: 512, sopClass: '1.2.840.10008.5.1.4.1.1.2' },
  mg: {
    name: '25 MB MG',
    modality: 'MG',
    rows: 4084,
    columns: 3060,
    sopClass: '1.2.840.10008.5.1.4.1.1.1.2',
  },
} as const;

export type ObjectSize = keyof typeof objectSizes;

export const explicitLittleEndian = '1.2.840.10008.1.2.1' as TransferSyntaxUID;

export function contextOf(size: ObjectSize): ProposedContext {
  return {
    SOPClassUID: objectSizes[size].sopClass as SOPClassUID,
    transferSyntaxes: [explicitLittleEndian],
  };
}

const uidDigits = 30;

/** A UID of the form of PS3.5 §B.2, always of the same length. */
export function fixedLengthUid(number: number): string {
  const digits = String(process.hrtime.bigint()).slice(-14) + String(number).padStart(9, '0');
  return `2.25.1${digits.padStart(uidDigits, '0')}`;
}

let uidsMade = 0;

/**
 * One object that becomes another instance by overwriting the UID in its encoded bytes: the generator costs
 * next to nothing. Not to be changed while it is being sent.
 */
export class Template {
  readonly #size: ObjectSize;
  readonly #dataSet: Buffer;
  readonly #uidOffset: number;

  constructor(size: ObjectSize) {
    const { modality, rows, columns, sopClass } = objectSizes[size];
    const uid = fixedLengthUid(uidsMade++);
    this.#size = size;
    this.#dataSet = encodeDataSet({
      SOPClassUID: sopClass,
      SOPInstanceUID: uid,
      StudyDate: '20260102',
      StudyTime: '120000',
      AccessionNumber: '',
      Modality: modality,
      ReferringPhysicianName: '',
      PatientName: 'PHANTOM^GANTRY',
      PatientID: 'PHANTOM-1',
      PatientBirthDate: '',
      PatientSex: 'O',
      StudyInstanceUID: fixedLengthUid(uidsMade++),
      SeriesInstanceUID: fixedLengthUid(uidsMade++),
      StudyID: '1',
      SeriesNumber: 1,
      InstanceNumber: 1,
      SamplesPerPixel: 1,
      PhotometricInterpretation: 'MONOCHROME2',
      Rows: rows,
      Columns: columns,
      BitsAllocated: 16,
      BitsStored: 16,
      HighBit: 15,
      PixelRepresentation: 0,
      PixelData: randomFillSync(Buffer.alloc(rows * columns * 2)),
    });
    this.#uidOffset = this.#dataSet.indexOf(uid);
  }

  get bytes(): number {
    return this.#dataSet.length;
  }

  /** A new instance; the one before it is gone. */
  next(): StoreRequest {
    const uid = fixedLengthUid(uidsMade++);
    this.#dataSet.write(uid, this.#uidOffset, 'latin1');
    return {
      SOPClassUID: objectSizes[this.#size].sopClass as SOPClassUID,
      SOPInstanceUID: uid as SOPInstanceUID,
      TransferSyntaxUID: explicitLittleEndian,
      dataSet: this.#dataSet,
    };
  }
}
