import type { SandboxInstance } from './sandbox-store.ts';

/** What became of one part of a store request. */
export interface PartOutcome {
  readonly SOPClassUID: string | null;
  readonly SOPInstanceUID: string | null;
  /** Null: stored, or here already with the same bytes. */
  readonly failureReason: number | null;
}

/** One attribute of the DICOM JSON model, as far as the sandbox needs it. */
interface Attribute {
  readonly vr: string;
  readonly Value?: readonly (string | number | DataSet)[];
}
type DataSet = Readonly<Record<string, Attribute>>;

const uid = (value: string | null): Attribute => ({ vr: 'UI', ...(value !== null && { Value: [value] }) });
const text = (vr: string, value: string): Attribute => ({ vr, Value: [value] });
const number = (vr: string, value: number): Attribute => ({ vr, Value: [value] });

/** PS3.18 §10.5.3: 200 all stored, 202 some, 409 none. */
export function storeStatus(outcomes: readonly PartOutcome[]): number {
  const stored = outcomes.filter(({ failureReason }) => failureReason === null).length;
  if (stored === outcomes.length) return 200;
  return stored > 0 ? 202 : 409;
}

/** The Store Instances Response Module (PS3.18 Annex I.2). */
export function storeResponse(outcomes: readonly PartOutcome[]): DataSet {
  const named = outcomes.filter(({ SOPInstanceUID }) => SOPInstanceUID !== null);
  const referenced = named.filter(({ failureReason }) => failureReason === null).map(sopReference);
  const failed = named
    .filter(({ failureReason }) => failureReason !== null)
    .map((outcome) => ({ ...sopReference(outcome), ...failureDataSet(outcome) }));
  const nameless = outcomes.filter(({ SOPInstanceUID }) => SOPInstanceUID === null).map(failureDataSet);
  return {
    '00081190': { vr: 'UR' },
    ...(failed.length > 0 && { '00081198': { vr: 'SQ', Value: failed } }),
    ...(referenced.length > 0 && { '00081199': { vr: 'SQ', Value: referenced } }),
    ...(nameless.length > 0 && { '0008119A': { vr: 'SQ', Value: nameless } }),
  };
}

function sopReference({ SOPClassUID, SOPInstanceUID }: PartOutcome): DataSet {
  return { '00081150': uid(SOPClassUID), '00081155': uid(SOPInstanceUID) };
}

function failureDataSet(outcome: PartOutcome): DataSet {
  return { '00081197': number('US', outcome.failureReason ?? 0) };
}

/** A data set of this module as a Native DICOM Model document (PS3.19 Annex A.1); its values need no escaping. */
export function nativeXml(dataSet: DataSet): string {
  const head = '<?xml version="1.0" encoding="utf-8"?>\n';
  const namespace = 'http://dicom.nema.org/PS3.19/models/NativeDICOM';
  return `${head}<NativeDicomModel xmlns="${namespace}">${attributesXml(dataSet)}</NativeDicomModel>\n`;
}

function attributesXml(dataSet: DataSet): string {
  return Object.entries(dataSet)
    .map(([tag, { vr, Value = [] }]) => {
      const values = Value.map((value, index) => valueXml(value, index + 1)).join('');
      return `<DicomAttribute tag="${tag}" vr="${vr}">${values}</DicomAttribute>`;
    })
    .join('');
}

function valueXml(value: string | number | DataSet, position: number): string {
  if (typeof value === 'object') return `<Item number="${position}">${attributesXml(value)}</Item>`;
  return `<Value number="${position}">${value}</Value>`;
}

/** An instance's metadata as far as the sandbox keeps any; also its match in a search. */
export function instanceDataSet(instance: SandboxInstance): DataSet {
  const { Modality, image } = instance;
  return {
    '00080016': uid(instance.SOPClassUID),
    '00080018': uid(instance.SOPInstanceUID),
    '00080056': text('CS', 'ONLINE'),
    ...(Modality !== null && { '00080060': text('CS', Modality) }),
    '00083002': uid(instance.TransferSyntaxUID),
    '0020000D': uid(instance.StudyInstanceUID),
    '0020000E': uid(instance.SeriesInstanceUID),
    ...(image !== null && {
      '00280008': number('IS', image.NumberOfFrames),
      '00280010': number('US', image.Rows),
      '00280011': number('US', image.Columns),
      '00280100': number('US', image.BitsAllocated),
    }),
  };
}

export type SearchLevel = 'studies' | 'series' | 'instances';

export interface SearchKeys {
  readonly StudyInstanceUID: string | null;
  readonly SeriesInstanceUID: string | null;
  readonly SOPInstanceUID: string | null;
  readonly limit: number;
  readonly offset: number;
}

/** QIDO-RS (PS3.18 §10.6) by UIDs. */
export function search(
  instances: Iterable<SandboxInstance>,
  level: SearchLevel,
  keys: SearchKeys,
): readonly DataSet[] {
  const matches = Iterator.from(instances).filter(
    (instance) =>
      (keys.StudyInstanceUID ?? instance.StudyInstanceUID) === instance.StudyInstanceUID &&
      (keys.SeriesInstanceUID ?? instance.SeriesInstanceUID) === instance.SeriesInstanceUID &&
      (keys.SOPInstanceUID ?? instance.SOPInstanceUID) === instance.SOPInstanceUID,
  );
  const found = level === 'instances' ? matches.map(instanceDataSet) : grouped(matches, level);
  return found.drop(keys.offset).take(keys.limit).toArray();
}

function grouped(instances: Iterable<SandboxInstance>, level: 'studies' | 'series'): IteratorObject<DataSet> {
  const key = level === 'studies' ? 'StudyInstanceUID' : 'SeriesInstanceUID';
  const groups = Map.groupBy(instances, (instance) => instance[key]);
  return groups
    .values()
    .map((members) => (level === 'studies' ? studyDataSet(members) : seriesDataSet(members)));
}

function studyDataSet(members: readonly SandboxInstance[]): DataSet {
  const series = new Set(members.map(({ SeriesInstanceUID }) => SeriesInstanceUID));
  return {
    '00080056': text('CS', 'ONLINE'),
    '0020000D': uid(members[0]?.StudyInstanceUID ?? null),
    '00201206': number('IS', series.size),
    '00201208': number('IS', members.length),
  };
}

function seriesDataSet(members: readonly SandboxInstance[]): DataSet {
  const [first] = members;
  return {
    ...(first !== undefined && first.Modality !== null && { '00080060': text('CS', first.Modality) }),
    '0020000D': uid(first?.StudyInstanceUID ?? null),
    '0020000E': uid(first?.SeriesInstanceUID ?? null),
    '00201209': number('IS', members.length),
  };
}
