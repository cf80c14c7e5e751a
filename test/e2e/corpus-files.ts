import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SOPClassUID, SOPInstanceUID, TransferSyntaxUID } from '../../src/dicom/uid.ts';
import { newUid } from '../fixtures/dicom-objects.ts';
import { type FileToSend, part10Head } from '../fixtures/send-files.ts';
import { corpusDirectory } from './peers.ts';

/** One file of the corpus, ready to be sent. `path` of the file to send is the full one. */
export interface CorpusFile extends FileToSend {
  /** As the manifest names it, e.g. `ct/CT_small.dcm`. */
  readonly name: string;
  readonly dataSetSha256: string;
  /** What DCMTK can do with it, e.g. `ok`, `dcmsend only: …`, `refused: …`. */
  readonly sendCheck: string;
}

const ctImageStorage = '1.2.840.10008.5.1.4.1.1.2';

/** Encodings of the files that do not tell theirs. */
const encodings: Readonly<Record<string, string>> = {
  'malformed/ExplVR_BigEndNoMeta.dcm': '1.2.840.10008.1.2.2',
  'malformed/meta_missing_tsyntax.dcm': '1.2.840.10008.1.2',
  'malformed/no_meta.dcm': '1.2.840.10008.1.2.1',
  'odd/no_preamble_dicm_in_data': '1.2.840.10008.1.2.1',
  'odd/vmat_example.dcm': '1.2.840.10008.1.2',
};

/**
 * The corpus in the order of its manifest. A file is sent, as any sender does it, under the UIDs inside its data
 * set, whatever its group 2 says; where it has none, under those of group 2 or made-up ones: it cannot be named.
 */
export function corpusFiles(): CorpusFile[] {
  const [head = '', ...lines] = readFileSync(join(corpusDirectory, 'manifest.tsv'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => line.split('\t'));
  return lines.map((values) => {
    const row = Object.fromEntries(values.map((value, index) => [head[index] ?? '', value]));
    const of = (column: string): string | null => (row[column] === '-' ? null : (row[column] ?? null));
    const name = of('path') ?? '';
    const path = join(corpusDirectory, name);
    const bytes = readFileSync(path);
    const meta = part10Head(bytes);
    const syntax = of('TransferSyntaxUID') ?? encodings[name] ?? meta.TransferSyntaxUID;
    return {
      name,
      path,
      head: {
        SOPClassUID: (of('SOPClassUID') ?? (meta.SOPClassUID || ctImageStorage)) as SOPClassUID,
        SOPInstanceUID: (of('SOPInstanceUID') ?? (meta.SOPInstanceUID || newUid())) as SOPInstanceUID,
        TransferSyntaxUID: syntax as TransferSyntaxUID,
        dataSetOffset: meta.dataSetOffset,
      },
      dataSetSha256: createHash('sha256').update(bytes.subarray(meta.dataSetOffset)).digest('hex'),
      sendCheck: of('send_check') ?? '',
    };
  });
}
