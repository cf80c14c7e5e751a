import {
  otherSopClasses,
  retiredStorageSopClasses,
  storageSopClasses,
} from '../../src/dicom/sop-class-registry.ts';
import { verificationSopClass } from '../../src/dicom/sop-classes.ts';
import { knownTransferSyntaxes, type TransferSyntax } from '../../src/dicom/transfer-syntaxes.ts';
import { blocks, code, paragraph, table } from './markdown.ts';

function uidTable(classes: Readonly<Record<string, string>>): string {
  return table(
    ['SOP class', 'UID'],
    Object.entries(classes).map(([uid, name]) => [name, code(uid)]),
  );
}

export function sopClassAnnex(): string {
  const refused = Object.fromEntries(
    Object.entries(otherSopClasses).filter(([uid]) => uid !== verificationSopClass),
  );
  return blocks(
    '## Annex A: SOP classes',
    '### A.1 Storage SOP classes (SCP)',
    uidTable(storageSopClasses),
    '### A.2 Retired Storage SOP classes (SCP)',
    uidTable(retiredStorageSopClasses),
    '### A.3 Private and unknown SOP classes (SCP)',
    paragraph(
      'Any other legal UID that is not in A.4: private classes, and classes newer than these tables. They are taken unless',
      '`intake.unknownSopClasses` is "refuse".',
    ),
    '### A.4 SOP classes that are always refused',
    paragraph('Known to belong to another service, and never taken for private storage classes.'),
    uidTable(refused),
  );
}

function traits({ explicitVr, bigEndian, deflated, encapsulated, lossless }: TransferSyntax): string {
  return [
    explicitVr ? 'explicit VR' : 'implicit VR',
    bigEndian ? 'big endian' : 'little endian',
    ...(deflated ? ['deflated'] : []),
    encapsulated ? (lossless ? 'encapsulated, lossless' : 'encapsulated, may be lossy') : 'native',
  ].join(', ');
}

export function transferSyntaxAnnex(): string {
  return blocks(
    '## Annex B: Transfer syntaxes',
    paragraph(
      'For every SOP class. A private or unknown one is followed on the terms of Explicit VR Little Endian with',
      'encapsulated pixel data (PS3.5 A.4), and kept as it came.',
    ),
    table(
      ['Transfer syntax', 'UID', 'Encoding'],
      [...knownTransferSyntaxes.values()].map((syntax) => [syntax.name, code(syntax.uid), traits(syntax)]),
    ),
  );
}
