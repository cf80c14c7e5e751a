import { studyRootFind, studyRootGet } from '../../src/archive/dimse-reader.ts';
import { version } from '../../src/base/version.ts';
import { storageSopClasses, retiredStorageSopClasses } from '../../src/dicom/sop-class-registry.ts';
import { verificationSopClass } from '../../src/dicom/sop-classes.ts';
import { knownTransferSyntaxes } from '../../src/dicom/transfer-syntaxes.ts';
import { blocks, bullets, code, paragraph, table } from './markdown.ts';

export function overview(): string {
  const current = Object.keys(storageSopClasses).length;
  const retired = Object.keys(retiredStorageSopClasses).length;
  return blocks(
    '## 1 Overview',
    paragraph(
      'Gantry is an edge gateway. It receives composite instances from modalities by C-STORE, makes each one durable',
      'and encrypted on its own disk before it answers Success, and forwards it to one or more archives by STOW-RS or C-STORE, or as files,',
      'unchanged, until each archive has proven to have it.',
    ),
    '**Table 1-1. Network services (DIMSE)**',
    table(
      ['Service', 'SOP classes', 'User (SCU)', 'Provider (SCP)'],
      [
        ['Verification', code(verificationSopClass), 'Yes', 'Yes'],
        [
          'Storage',
          `${current} of the standard, ${retired} retired ones, private and unknown ones (Annex A)`,
          'Yes, what was received',
          'Yes',
        ],
        ['Query/Retrieve, Study Root - FIND', code(studyRootFind), 'Yes', 'No'],
        ['Query/Retrieve, Study Root - GET', code(studyRootGet), 'Yes', 'No'],
      ],
    ),
    '**Table 1-2. Web services (DICOMweb)**',
    table(
      ['Service', 'Transaction', 'User agent', 'Origin server'],
      [
        ['Studies', 'Store Instances (STOW-RS)', 'Yes', 'No'],
        ['Studies', 'Search (QIDO-RS), to prove that an archive has an instance', 'Yes', 'No'],
        ['Studies', 'Retrieve Metadata and Instance (WADO-RS), for the same purpose', 'Yes', 'No'],
      ],
    ),
    paragraph(
      `Transfer syntaxes: all ${knownTransferSyntaxes.size} that are registered or known from the field (Annex B), and`,
      'private ones. Gantry decodes, converts and compresses nothing.',
    ),
    '**Not offered:** Storage Commitment, Query/Retrieve as SCP, C-MOVE, Modality Worklist, Modality Performed Procedure Step, Print, media storage with a DICOMDIR (PS3.10 file sets), real-time video.',
  );
}

export function introduction(): string {
  return blocks(
    '## 2 Introduction',
    '### 2.1 Audience and purpose',
    paragraph(
      'For those who connect modalities and archives to Gantry: PACS administrators, service engineers, hospital IT and',
      'vendors. It is organised after the template of PS3.2 Annex N; what has no meaning for Gantry is left out.',
      `It is about version ${version} and is made from the tables the program itself runs by (${code('npm run build:conformance')});`,
      'a test fails when it no longer agrees with them. Changes between versions are in `CHANGELOG.md`.',
    ),
    paragraph(
      'A conformance statement says what two devices can do together; it does not replace trying it. `npm run demo`',
      'starts a gateway to try a device on, without patient data.',
    ),
    '### 2.2 Terms',
    table(
      ['Term', 'Means here'],
      [
        ['Instance', 'one SOP instance: an image, a report, a waveform …'],
        ['Durable', 'on the disk in such a way that a power cut right after the answer does not lose it'],
        ['Archive, destination', 'a DICOMweb server that instances are forwarded to'],
        ['Conflict', 'an instance with other content under the SOP Instance UID of an earlier one'],
        ['Parked', 'kept, and not sent until an operator decides (held, quarantined or conflict)'],
        ['Operator', 'whoever looks after the gateway, by its page and its commands'],
        ['AE, SCU, SCP, PDU', 'as in PS3.8, PS3.7 and PS3.4'],
      ],
    ),
    '### 2.3 References',
    bullets(
      'DICOM PS3.2 to PS3.18, current edition: https://www.dicomstandard.org/current',
      '`deploy/gantry.schema.json`: every setting of the configuration',
      '`SECURITY.md`: what is protected, and what is not',
    ),
  );
}

export function implementationModel(): string {
  return blocks(
    '## 3 Implementation model',
    '### 3.1 Application data flow',
    [
      '```',
      '  modality  ── C-STORE, C-ECHO ──▶  GANTRY        ──▶  sealed store  ──▶  DICOMweb client  ── STOW-RS ──▶  archive',
      '  (SCU)     ◀── 0000 when durable ── Storage AE         on disk            (user agent)     ◀─ QIDO/WADO ─  (origin server)',
      '```',
    ].join('\n'),
    '### 3.2 Application entities',
    bullets(
      '**Storage AE** waits for associations, answers C-ECHO, and takes in instances by C-STORE. It never opens an association itself.',
      '**DICOMweb client** sends what was received to each destination, and reads back from it to prove that it arrived. It is driven by what is in the store, not by the association an instance came in: an archive that is away does not stop the Storage AE.',
    ),
    '### 3.3 Sequence of activities',
    [
      '1. A modality opens an association; title, address and room are checked (7.2.3).',
      '2. For each C-STORE: the command is checked; the data set is written to the disk, encrypted, as it arrives; its UIDs are compared with the command; it is made durable; then the response is sent.',
      '3. The instance is queued for every destination and sent in batches per study. The archive is asked first whether it knows the study.',
      '4. The outcome is judged instance by instance (7.5), and proven by reading back (5.3.3).',
      '5. When every destination has proven to have it, the configured time has passed and the receipt of its study is written, the instance is deleted from the gateway.',
    ].join('\n'),
  );
}
