import { contextsMax } from '../../src/archive/dimse-association.ts';
import { studyRootFind, studyRootGet } from '../../src/archive/dimse-reader.ts';
import { dimseLimits } from '../../src/archive/dimse-wire.ts';
import { implementation } from '../../src/dicom/part10.ts';
import { verificationSopClass } from '../../src/dicom/sop-classes.ts';
import { blocks, bullets, code, duration, paragraph, table } from './markdown.ts';

const implicit = code('1.2.840.10008.1.2');

/** Associations that Gantry opens itself, to destinations of type "dimse". */
export function associationInitiation(): string {
  return blocks(
    paragraph(
      'To destinations of type "dimse" only; never to modalities. One association for each batch, another for questions,',
      'another for each instance that is retrieved. One request at a time; no asynchronous operations window is proposed.',
    ),
    table(
      ['SOP class', 'Role', 'Transfer syntaxes', 'Used for'],
      [
        [
          'each Storage SOP class of the batch',
          'SCU',
          'the one the instance has; a context for each pair',
          'C-STORE',
        ],
        [code(verificationSopClass), 'SCU', implicit, 'C-ECHO: whether the PACS is there'],
        [code(studyRootFind), 'SCU', implicit, 'C-FIND at STUDY and IMAGE level: whether it has it'],
        [code(studyRootGet), 'SCU', implicit, 'C-GET at IMAGE level: to compare every byte'],
        [
          'the SOP class of the instance retrieved',
          'SCP',
          'the one the instance has',
          'C-STORE within C-GET',
        ],
      ],
    ),
    bullets(
      `At most ${contextsMax} presentation contexts. Implementation Class UID ${code(implementation.classUID)}, version name ${code(implementation.versionName)}.`,
      'A context that is not accepted is a refusal of that transfer syntax (result 4 or 1) or SOP class (result 3) for its instances alone; result 2 is tried again.',
      'Statuses of C-STORE are judged as the failure and warning reasons of STOW-RS are (0000 stored; Bxxx stored with a change; A7xx out of resources; A9xx, Cxxx, 0122 permanent). An association that ends after the data set went out leaves the outcome unknown: the PACS is asked, or the same bytes are sent again.',
      'C-FIND proves that an instance is listed, never what it holds: where the PACS may have had it before, only C-GET lets it be deleted here.',
      `Time-outs: connected ${duration(dimseLimits.connectMs)}, association answered ${duration(dimseLimits.associateMs)}, no byte taken ${duration(dimseLimits.sendIdleMs)}, no answer ${duration(dimseLimits.answerIdleMs)}, released when idle ${duration(dimseLimits.idleMs)}.`,
      'In clear, or TLS 1.2 or later with the certificate of the PACS checked; with a client certificate where one is configured.',
    ),
  );
}
