import { ctSlice, type MadeInstance } from '../../fixtures/dicom-objects.ts';
import { associateRequest, commandSet, dataPdu, type WireContext } from '../../intake/raw-client.ts';

/** Bytes for hostile sessions: builders that can lie, and objects that can be told apart. */

/** Stand in every object that is sent; must never be seen in a log, a metric, the status or on the page. */
export const canary = { patientName: 'CANARY^HOSTILE', uidRoot: '2.25.77700077700' } as const;

const instances = 64;

/** Few instances with few contents each, so that a long campaign fills no disk. */
const objects: readonly MadeInstance[] = Array.from({ length: instances * 2 }, (_, n) =>
  ctSlice({
    rows: 4,
    columns: 4,
    seed: 1 + n,
    patientName: canary.patientName,
    studyUID: `${canary.uidRoot}1`,
    seriesUID: `${canary.uidRoot}2`,
    instanceUID: `${canary.uidRoot}3${n % instances}`,
  }),
);

export const objectsMax = objects.length;

/** @param index 0 up to and without {@link objectsMax} */
export function object(index: number): MadeInstance {
  const made = objects[index];
  if (made === undefined) throw new RangeError('no such object');
  return made;
}

/** An item of an A-ASSOCIATE that says it is so long. */
export function lyingItem(type: number, content: Buffer, announced: number): Buffer {
  return Buffer.concat([Buffer.of(type, 0, (announced >>> 8) & 0xff, announced & 0xff), content]);
}

/** An element in Implicit VR Little Endian, or of a command, that says it is so long. */
export function lyingElement(tag: number, content: Buffer, announced = content.length): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt16LE(tag >>> 16, 0);
  header.writeUInt16LE(tag & 0xffff, 2);
  header.writeUInt32LE(announced >>> 0, 4);
  return Buffer.concat([header, content]);
}

/** A fragment that says it is so long. */
export function lyingFragment(context: number, control: number, bytes: Buffer, announced: number): Buffer {
  const header = Buffer.alloc(6);
  header.writeUInt32BE(announced >>> 0, 0);
  header[4] = context;
  header[5] = control;
  return Buffer.concat([header, bytes]);
}

export type CommandElements = readonly (readonly [element: number, value: number | string])[];

export function storeElements(made: MadeInstance, messageId: number): CommandElements {
  return [
    [0x0002, made.SOPClassUID],
    [0x0100, 1],
    [0x0110, messageId],
    [0x0700, 0],
    [0x0800, 0],
    [0x1000, made.SOPInstanceUID],
  ];
}

export function commandPdu(elements: CommandElements, context = 1): Buffer {
  return dataPdu({ context, command: true, last: true, bytes: commandSet(elements) });
}

/** A data set in P-DATA-TF PDUs, at least one of them, the last one marked. */
export function dataPdus(bytes: Buffer, fragmentBytes = 16_000, context = 1): Buffer[] {
  const count = Math.max(1, Math.ceil(bytes.length / fragmentBytes));
  return Array.from({ length: count }, (_, n) =>
    dataPdu({
      context,
      command: false,
      last: n === count - 1,
      bytes: bytes.subarray(n * fragmentBytes, (n + 1) * fragmentBytes),
    }),
  );
}

/** A whole C-STORE of an object, or of other bytes under its name. */
export function store(made: MadeInstance, messageId: number, dataSet = made.dataSet, context = 1): Buffer[] {
  return [commandPdu(storeElements(made, messageId), context), ...dataPdus(dataSet, 16_000, context)];
}

export const syntaxes = {
  implicit: '1.2.840.10008.1.2',
  explicit: '1.2.840.10008.1.2.1',
  big: '1.2.840.10008.1.2.2',
  deflated: '1.2.840.10008.1.2.1.99',
} as const;

/** An association for CT images in just this transfer syntax, C-ECHO, and one context that nobody accepts. */
export function associate(syntax: string = syntaxes.explicit, maximumLength = 16_384): Buffer {
  const contexts: WireContext[] = [
    { id: 1, abstractSyntax: '1.2.840.10008.5.1.4.1.1.2', transferSyntaxes: [syntax] },
    { id: 3, abstractSyntax: '1.2.840.10008.1.1', transferSyntaxes: [syntaxes.implicit] },
    { id: 5, abstractSyntax: '1.2.840.10008.5.1.4.1.2.2.1', transferSyntaxes: [syntaxes.implicit] },
  ];
  return associateRequest({ contexts, maximumLength });
}
