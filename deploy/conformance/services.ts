import { readAccept, retrieveAccept } from '../../src/archive/dicomweb-reader.ts';
import { storeAccept } from '../../src/archive/dicomweb.ts';
import { DicomWebPaths } from '../../src/archive/dicomweb-paths.ts';
import { StoreBody } from '../../src/archive/store-body.ts';
import { inflationLimits } from '../../src/dicom/data-set-walk.ts';
import { part10Header } from '../../src/dicom/part10.ts';
import { tags } from '../../src/dicom/tags.ts';
import type {
  SeriesInstanceUID,
  SOPClassUID,
  SOPInstanceUID,
  StudyInstanceUID,
  TransferSyntaxUID,
} from '../../src/dicom/uid.ts';
import { sequenceDepthMax } from '../../src/dicom/walker.ts';
import { verifierLimits } from '../../src/proof/verifier.ts';
import { blocks, bullets, bytes, code, duration, paragraph, table } from './markdown.ts';
import { parameter } from './parameters.ts';

export function services(): string {
  return blocks('## 5 Services', verification(), storage(), web());
}

function verification(): string {
  return blocks(
    '### 5.1 Verification (SCP)',
    'C-ECHO is answered with 0000 in any accepted presentation context, also between C-STOREs of one association.',
  );
}

function storage(): string {
  return blocks(
    '### 5.2 Storage (SCP)',
    '#### 5.2.1 What is kept',
    bullets(
      '**Level of conformance: level 2 (full)** (PS3.4 B.4.1). The data set is kept and forwarded byte for byte as it came: all attributes, private ones included, in the transfer syntax of the presentation context. Nothing is parsed and written again, no attribute is changed, added or dropped, no UID is replaced.',
      '**Digital signatures: level 3 (bit preserving).** They are not validated.',
      '**Any SOP class and IOD:** the content of an instance is not checked against its IOD. Standard Extended and Specialized SOP classes and private ones are treated alike.',
      '**Any size** up to the configured limit (6.3), streamed: memory does not grow with the instance. Encapsulated pixel data may be longer than 4 GiB.',
    ),
    '#### 5.2.2 What is looked at',
    paragraph(
      'SOP Class UID, SOP Instance UID, Study Instance UID, Series Instance UID, Modality, Rows, Columns, Bits Allocated',
      'and Number of Frames, at the top level of the data set. SOP Class and SOP Instance UID must be there and must be',
      'those of the C-STORE command. A UID must consist of digits and full stops and be at most 64 characters long; leading',
      'zeros in a component are tolerated, and so is a Study or Series Instance UID that is empty or missing.',
    ),
    paragraph(
      'Lengths of elements, sequences, items and fragments are followed to the end, so that a data set that is cut short or',
      `contradicts itself is refused. Sequences may be nested ${sequenceDepthMax} deep. Tolerated: values of odd length, group lengths`,
      '(right or wrong), elements out of order, private elements without a creator, unknown VRs, group 2 in the data set.',
      `A deflated data set may inflate to at most ${bytes(inflationLimits.inflatedBytesMax)} and, beyond its first ${bytes(inflationLimits.ratioFreeBytes)}, to ${inflationLimits.inflationRatioMax} times its size.`,
    ),
    '#### 5.2.3 The same SOP Instance UID again',
    bullets(
      '**Identical bytes:** 0000, no second copy; also when the first one has been forwarded and deleted here.',
      '**Other bytes:** 0000, both are kept; the later one is a conflict: it is not forwarded until an operator decides.',
      'Two associations may send one instance at the same time; the rules are the same.',
    ),
    '#### 5.2.4 What 0000 means, and for how long',
    paragraph(
      '0000 says that the instance is durable on this gateway: encrypted and synced to its disk, so that neither a crash nor',
      'a power cut loses it. It does not say that an archive has it: Storage Commitment is not offered. The gateway keeps one',
      `copy, and deletes it only as in 3.3; ${code('spool.keepVerifiedHours')} is ${parameter('spool', 'keepVerifiedHours').preset} by default. Received instances cannot be`,
      'queried or retrieved from it.',
    ),
  );
}

const sample = {
  SOPClassUID: '1.2.840.10008.5.1.4.1.1.2' as SOPClassUID,
  SOPInstanceUID: '1.2.3' as SOPInstanceUID,
  TransferSyntaxUID: '1.2.840.10008.1.2.1' as TransferSyntaxUID,
};

function web(): string {
  const { contentType } = new StoreBody([], 0);
  const boundary = /boundary=.*$/.exec(contentType)?.[0] ?? '';
  return blocks(
    '### 5.3 DICOMweb (user agent)',
    '#### 5.3.1 Store (STOW-RS, PS3.18 10.5)',
    bullets(
      `${code('POST {service}/studies')} with ${code(`Content-Type: ${contentType.replace(boundary, 'boundary=…')}`)}, a Content-Length and ${code(`Accept: ${storeAccept}`)}. One part per instance, ${code('Content-Type: application/dicom')}: a PS3.10 file. Metadata and bulk data as separate parts are not used.`,
      'Instances of one study travel together, up to the configured number and bytes (6.4); an instance that is larger than that travels alone. The file sent for an instance is the same on every attempt, byte for byte.',
      'The store response is read as DICOM JSON or Native DICOM Model XML, whichever comes, and judged instance by instance (7.5).',
      'Redirects are not followed. Content codings are not used for requests.',
    ),
    blocks(
      '**Table 5-1. File Meta Information of the files sent** (the preamble is zero; nothing else is in group 2)',
      fileMetaTable(),
    ),
    '#### 5.3.2 Search and Retrieve (QIDO-RS 10.6, WADO-RS 10.4)',
    'These read; nothing is ever deleted or changed at an archive.',
    blocks('**Table 5-2. Requests**', requestTable()),
    '#### 5.3.3 How arrival is proven',
    table(
      [code('verify'), 'An instance is verified when'],
      [
        [
          '`wado-metadata`',
          `its metadata reads back with the same SOP Class, SOP Instance, Study and Series Instance UID, transfer syntax (where the archive names it), Rows, Columns, Bits Allocated and Number of Frames; a share of ${parameter('destinations', '*', 'digestSample').preset} is also compared byte for byte`,
        ],
        [
          '`wado-digest`',
          'its data set reads back byte for byte; where the archive rewrote elements, its pixel data does, and its UIDs and image attributes are the same',
        ],
        ['`qido`', 'a search finds its SOP Instance UID'],
        ['`response`', 'never: the store response is believed, and the instance is never deleted here'],
      ],
    ),
    paragraph(
      `The default is ${parameter('destinations', '*', 'verify').preset}. An instance that may have been at the archive before, or whose outcome was ever unknown,`,
      'needs the comparison byte for byte, whatever the policy. An instance that cannot be seen is asked for again; after',
      `${verifierLimits.absentPollsMax} looks over at least ${duration(verifierLimits.absentMsMin)} it is sent again. An archive that refuses to be read (401, 403) keeps its instances as`,
      '"delivered, cannot verify".',
    ),
  );
}

/** Read off the header the code writes. */
function fileMetaTable(): string {
  const header = part10Header(sample);
  const given: Record<string, string> = {
    [sample.SOPClassUID]: 'that of the instance',
    [sample.SOPInstanceUID]: 'that of the instance',
    [sample.TransferSyntaxUID]: 'that it was received in',
  };
  const names = new Map(Object.entries(tags).map(([keyword, tag]) => [tag as number, keyword]));
  const rows: string[][] = [];
  for (let at = 132; at < header.length; ) {
    const tag = header.readUInt16LE(at) * 0x1_0000 + header.readUInt16LE(at + 2);
    const vr = header.toString('latin1', at + 4, at + 6);
    const start = at + (vr === 'OB' ? 12 : 8);
    const end = start + (vr === 'OB' ? header.readUInt32LE(at + 8) : header.readUInt16LE(at + 6));
    const text = header.toString('latin1', start, end).replace(/[\0 ]+$/, '');
    const binary = vr === 'OB' ? '0001H' : 'length of the group';
    const value = vr === 'OB' || vr === 'UL' ? binary : (given[text] ?? code(text));
    const place = `(${[tag >>> 16, tag & 0xffff].map((half) => half.toString(16).padStart(4, '0')).join(',')})`;
    rows.push([place, names.get(tag) ?? '', vr, value]);
    at = end;
  }
  return table(['Tag', 'Keyword', 'VR', 'Value'], rows);
}

function requestTable(): string {
  const paths = new DicomWebPaths('https://archive.example/studies');
  const ref = {
    StudyInstanceUID: '{study}' as StudyInstanceUID,
    SeriesInstanceUID: '{series}' as SeriesInstanceUID,
    SOPInstanceUID: '{instance}' as SOPInstanceUID,
  };
  const row = (path: string, accept: string, purpose: string): string[] => [
    code(`GET {service}${path}`),
    code(accept),
    purpose,
  ];
  return table(
    ['Request', 'Accept', 'Asked'],
    [
      row(paths.probe(), readAccept, 'whether the archive is there and lets us in'),
      row(
        paths.searchStudy(ref.StudyInstanceUID),
        readAccept,
        'while the first instances of a study are on their way: the end of each request waits for the answer, 5 s at most, after which this archive is asked first',
      ),
      row(paths.search(ref), readAccept, 'whether the instance can be found'),
      row(
        paths.search({ ...ref, SeriesInstanceUID: null }),
        readAccept,
        'the same, where the series is not known',
      ),
      row(
        paths.search({ ...ref, StudyInstanceUID: null, SeriesInstanceUID: null }),
        readAccept,
        'the same, where the study is not known either',
      ),
      row(paths.seriesMetadata(ref), readAccept, 'those of a series of which more than one is waiting'),
      row(paths.metadata(ref), readAccept, 'its attributes, to compare'),
      row(paths.instance(ref), retrieveAccept, 'the instance itself, to compare'),
    ],
  );
}
