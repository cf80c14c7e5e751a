import { decodeFrame } from '../../src/codec/engines.ts';
import { type CodecName, codecOf } from '../../src/codec/frame-format.ts';
import type { TransferSyntaxUID } from '../../src/dicom/uid.ts';

const pixelHeader = Buffer.from([0xe0, 0x7f, 0x10, 0x00, 0x4f, 0x42, 0, 0, 0xff, 0xff, 0xff, 0xff]);
const sequenceDelimiter = 0xe0dd_fffe;
const item = 0xe000_fffe;

/**
 * The data set as it was received, from whatever form of it lies somewhere. Needs no recipe and shares nothing with
 * `codec/restore` but the engines: it knows what the CT slices of `fixtures/dicom-objects` look like.
 * @throws Error where it is no whole data set of that kind
 */
export async function receivedAgain(syntax: string, dataSet: Buffer): Promise<Buffer> {
  const codec = codecOf(syntax as TransferSyntaxUID);
  return codec === null ? dataSet : decompressed(codec, dataSet);
}

async function decompressed(codec: CodecName, dataSet: Buffer): Promise<Buffer> {
  const at = dataSet.indexOf(pixelHeader);
  if (at < 0) throw new Error('no compressed pixel data');
  const head = dataSet.subarray(0, at);
  const [, frame, ...more] = itemsOf(dataSet.subarray(at + pixelHeader.length));
  if (frame === undefined || more.length > 0) throw new Error('not one frame');
  const format = {
    Rows: wordOf(head, 0x0010),
    Columns: wordOf(head, 0x0011),
    SamplesPerPixel: 1,
    BitsAllocated: 16,
    BitsStored: 12,
    signed: false,
  } as const;
  const pixels = Buffer.from(await decodeFrame(codec, format, frame));
  const header = Buffer.from([0xe0, 0x7f, 0x10, 0x00, 0x4f, 0x57, 0, 0, 0, 0, 0, 0]);
  header.writeUInt32LE(pixels.length, 8);
  return Buffer.concat([head, header, pixels]);
}

/** The offset table and the fragments; nothing may follow them. */
function itemsOf(bytes: Buffer): Buffer[] {
  const items: Buffer[] = [];
  let at = 0;
  for (; bytes.readUInt32LE(at) === item; at += 8 + bytes.readUInt32LE(at + 4))
    items.push(bytes.subarray(at + 8, at + 8 + bytes.readUInt32LE(at + 4)));
  if (bytes.readUInt32LE(at) !== sequenceDelimiter || at + 8 !== bytes.length) throw new Error('cut short');
  return items;
}

/** The value of an element of group 0028 with VR US. */
function wordOf(head: Buffer, element: number): number {
  const at = head.indexOf(Buffer.from([0x28, 0x00, element, 0x00, 0x55, 0x53, 2, 0]));
  if (at < 0) throw new Error('an element is missing');
  return head.readUInt16LE(at + 8);
}
