import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import dicomParser from 'dicom-parser';
import { phantomRound } from '../../src/demo/phantom.ts';
import type { StoreRequest } from '../../src/demo/dimse-sender.ts';
import { type FileMeta, part10Header } from '../../src/dicom/part10.ts';
import type { SOPClassUID, SOPInstanceUID, TransferSyntaxUID } from '../../src/dicom/uid.ts';
import { corpusDirectory } from '../e2e/peers.ts';

/** Uncompressed objects, of which studies of any size are made. */
export interface Material {
  readonly modality: Modality;
  /** Where the objects come from, for people. */
  readonly origin: string;
  readonly templates: readonly ObjectTemplate[];
}

export interface Study {
  /** Data set bytes. */
  readonly bytes: number;
  readonly requests: readonly (StoreRequest & { readonly dataSet: Buffer })[];
}

/** Which files of the corpus stand for a modality. */
const corpusFiles = {
  CT: Array.from(
    { length: 20 },
    (_, index) => `ct/series-phantom/phantom_I${padded((index + 1) * 10, 3)}.dcm`,
  ),
  MR: [
    ...[1, 2, 3, 4, 5, 6].map((n) => `mr/series/nist_multi_wado_mr_0${n}_1.2.840.10008.1.2.1.dcm`),
    'mr/uih_dti_00000001.dcm',
  ],
  CR: ['cr-dx-mg/CR-ModalitySequenceLUT.dcm'],
  MG: ['cr-dx-mg/GH133.dcm'],
  US: ['us/US-RGB-8-epicard', 'us/YBR_FULL-RLE.dcm', 'us/nist_ernie_us_multiframe.dcm'],
  XA: ['nm-pt-xa/nist_bert_xa_12frames.dcm'],
  NM: ['nm-pt-xa/NM-MONO2-16-13x-heart'],
  PT: [1, 2, 3].map((n) => `nm-pt-xa/pt-series/nist_pet_norman_pt_0${n}_1.2.840.10008.1.2.1.dcm`),
} as const satisfies Record<string, readonly string[]>;

export type Modality = keyof typeof corpusFiles;
export const modalities = Object.keys(corpusFiles) as Modality[];

/** What DCMTK needs to undo the encodings that modalities themselves seldom send. */
const decoders: Readonly<Record<string, readonly string[]>> = {
  '1.2.840.10008.1.2.2': ['dcmconv', '+te'],
  '1.2.840.10008.1.2.4.70': ['dcmdjpeg'],
  '1.2.840.10008.1.2.5': ['dcmdrle'],
};
const uncompressed = ['1.2.840.10008.1.2', '1.2.840.10008.1.2.1'];

/** Real objects where the corpus is there, else the demo's phantom; null where there is none of this modality. */
export async function loadMaterial(modality: Modality): Promise<Material | null> {
  const scratch = await mkdtemp(join(tmpdir(), 'gantry-bench-material-'));
  try {
    const templates: ObjectTemplate[] = [];
    for (const name of corpusFiles[modality]) {
      const template = await fromCorpus(join(corpusDirectory, name), scratch);
      if (template !== null) templates.push(template);
    }
    if (templates.length > 0) return { modality, origin: 'real images', templates };
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  const kind = ({ CT: 'CT series', US: 'ultrasound clip', CR: 'digital X-ray' } as Record<string, string>)[
    modality
  ];
  const templates = [...phantomRound({ seed: 1, at: new Date(), slices: 20 })]
    .filter((instance) => instance.kind === kind)
    .map((instance) => new ObjectTemplate(instance, instance.dataSet));
  return templates.length === 0 ? null : { modality, origin: 'made-up images', templates };
}

async function fromCorpus(path: string, scratch: string): Promise<ObjectTemplate | null> {
  if (!existsSync(path)) return null;
  let bytes = await readFile(path);
  let { meta, offset } = readMeta(bytes);
  const decoder = decoders[meta.TransferSyntaxUID];
  if (decoder !== undefined) {
    const [program = '', ...options] = decoder;
    const decoded = join(scratch, 'decoded.dcm');
    try {
      await promisify(execFile)(program, [...options, path, decoded]);
    } catch {
      return null;
    }
    bytes = await readFile(decoded);
    ({ meta, offset } = readMeta(bytes));
  }
  return uncompressed.includes(meta.TransferSyntaxUID)
    ? new ObjectTemplate(meta, bytes.subarray(offset))
    : null;
}

function readMeta(bytes: Buffer): { meta: FileMeta; offset: number } {
  const file = dicomParser.parseDicom(bytes, { untilTag: 'x00020010' });
  const text = (tag: string): string => file.string(tag) ?? '';
  const meta = {
    SOPClassUID: text('x00020002') as SOPClassUID,
    SOPInstanceUID: text('x00020003') as SOPInstanceUID,
    TransferSyntaxUID: text('x00020010') as TransferSyntaxUID,
  };
  const groupLength = file.uint32('x00020000') ?? 0;
  const group = file.elements['x00020000'];
  return { meta, offset: (group?.dataOffset ?? 0) + 4 + groupLength };
}

const uidTags = { study: 'x0020000d', series: 'x0020000e', instance: 'x00080018' } as const;

/** One object of which others are made by overwriting UIDs of the same length, and single bits of the image. */
export class ObjectTemplate {
  readonly #meta: FileMeta;
  readonly #dataSet: Buffer;
  readonly #uids: Readonly<Record<keyof typeof uidTags, { offset: number; length: number }>>;
  readonly #pixels: { offset: number; length: number };

  constructor(meta: FileMeta, dataSet: Buffer) {
    this.#meta = meta;
    this.#dataSet = dataSet;
    const parsed = dicomParser.parseDicom(Buffer.concat([part10Header(meta), dataSet]));
    const shift = part10Header(meta).length;
    const place = (tag: string): { offset: number; length: number } => {
      const element = parsed.elements[tag];
      return { offset: (element?.dataOffset ?? shift) - shift, length: element?.length ?? 0 };
    };
    const { study, series, instance } = uidTags;
    this.#uids = { study: place(study), series: place(series), instance: place(instance) };
    this.#pixels = place('x7fe00010');
  }

  get bytes(): number {
    return this.#dataSet.length;
  }

  /** @param seeds numbers that tell studies and series apart; each object is another instance */
  next(seeds: { readonly study: bigint; readonly series: bigint }): Study['requests'][number] {
    const dataSet = Buffer.from(this.#dataSet);
    this.#writeUid(dataSet, 'study', seeds.study);
    this.#writeUid(dataSet, 'series', seeds.series);
    const uid = this.#writeUid(dataSet, 'instance', newNumber()) as SOPInstanceUID;
    this.#addNoise(dataSet);
    return { ...this.#meta, SOPInstanceUID: uid, dataSet };
  }

  #writeUid(dataSet: Buffer, which: keyof typeof uidTags, number: bigint): string {
    const { offset, length } = this.#uids[which];
    const digits = String(number).padStart(39, '1');
    const uid = `2.25.1${digits.slice(-(length - 7))}`;
    dataSet.fill(0, offset, offset + length).write(uid, offset, 'latin1');
    return uid;
  }

  /** The lowest bit of one sample in some hundred, so that no two images are the same. */
  #addNoise(dataSet: Buffer): void {
    const { offset, length } = this.#pixels;
    const places = randomBytes(2 * Math.ceil(length / noiseEveryBytes));
    for (let at = 0, index = 0; at + noiseEveryBytes <= length; at += noiseEveryBytes, index += 2) {
      const place = offset + at + ((places.readUInt16LE(index) % noiseEveryBytes) & ~1);
      dataSet[place] = (dataSet[place] ?? 0) ^ 1;
    }
  }
}

const noiseEveryBytes = 512;

function newNumber(): bigint {
  return BigInt(`0x${randomBytes(16).toString('hex')}`);
}

/** A study of so many new instances, in one series. */
export function makeStudy({ templates }: Material, count: number): Study {
  const seeds = { study: newNumber(), series: newNumber() };
  const requests = Array.from({ length: count }, (_, index) => {
    const template = templates[index % templates.length];
    if (template === undefined) throw new Error('there is nothing to make a study of');
    return template.next(seeds);
  });
  return { requests, bytes: requests.reduce((sum, { dataSet }) => sum + dataSet.length, 0) };
}

/** How many instances make about so many bytes. */
export function instancesFor({ templates }: Material, bytes: number): number {
  const mean = templates.reduce((sum, template) => sum + template.bytes, 0) / templates.length;
  return Math.max(1, Math.round(bytes / mean));
}

/** @returns the paths of the study as Part 10 files in a new directory */
export async function writeStudy(study: Study, directory: string): Promise<string[]> {
  await mkdir(directory, { recursive: true });
  const paths: string[] = [];
  for (const [index, request] of study.requests.entries()) {
    const path = join(directory, `${padded(index, 5)}.dcm`);
    await writeFile(path, Buffer.concat([part10Header(request), request.dataSet]));
    paths.push(path);
  }
  return paths;
}

function padded(number: number, digits: number): string {
  return String(number).padStart(digits, '0');
}
