import { associationInitiation } from './dimse-user.ts';
import { implementation } from '../../src/dicom/part10.ts';
import { storeStatuses } from '../../src/dicom/statuses.ts';
import { preferredTransferSyntax, transferSyntaxName } from '../../src/dicom/transfer-syntaxes.ts';
import { verificationSopClass } from '../../src/dicom/sop-classes.ts';
import { rejections } from '../../src/intake/admission.ts';
import { type Fault, faults } from '../../src/intake/faults.ts';
import { intakeLimitDefaults } from '../../src/intake/options.ts';
import { contextResults } from '../../src/intake/negotiation.ts';
import { applicationContextName } from '../../src/intake/pdu.ts';
import { spoolRefusals } from '../../src/intake/spool-reasons.ts';
import { blocks, bullets, bytes, code, duration, hex4, paragraph, sentence, table } from './markdown.ts';
import { presetNumber } from './parameters.ts';

export function network(): string {
  return blocks(
    '## 7 Network communication',
    '### 7.1 Network interfaces',
    paragraph(
      'TCP/IP over IPv4 and IPv6, as the operating system provides it; names are looked up only for archives, token',
      'services and proxies (DNS). DICOM connections have TCP_NODELAY set.',
    ),
    associationParameters(),
    acceptance(),
    ends(),
    statuses(),
  );
}

function limit(name: string): number {
  return presetNumber('intake', 'limits', name);
}

function associationParameters(): string {
  return blocks(
    '### 7.2 Storage AE',
    '#### 7.2.1 Association parameters',
    '**Table 7-1. Association parameters** (limits by default; bounds in 6.3)',
    table(
      ['Name', 'Value'],
      [
        ['Application Context Name', code(applicationContextName)],
        ['Implementation Class UID', code(implementation.classUID)],
        ['Implementation Version Name', code(implementation.versionName)],
        ['Maximum PDU length announced', bytes(limit('pduBytesAnnounced'))],
        ['Longest PDU taken all the same', bytes(limit('pduBytesMax'))],
        ['PDUs sent', 'responses only, in PDUs of at most what the device announces (0: one PDU each)'],
        [
          'Associations at a time',
          `${limit('associationsMax')} in total, ${intakeLimitDefaults.associationsPerPeerMax} from one address`,
        ],
        [
          'Asynchronous operations',
          '1 invoked, 1 performed: a window that is proposed is answered 1/1. Requests that come early are kept and answered in order.',
        ],
        ['From TCP connection to A-ASSOCIATE-RQ', duration(limit('associateWaitMs'))],
        ['ARTIM: from the end of an association to the end of its connection', duration(limit('acseMs'))],
        [
          'Idle, between messages',
          `${duration(limit('idleMs'))}; a C-ECHO now and then keeps an association open`,
        ],
        [
          'While an instance arrives',
          `at least ${bytes(limit('rateBytesPerSecondMin'))} a second over each ${duration(limit('rateWindowMs'))}`,
        ],
      ],
    ),
    '#### 7.2.2 Association initiation',
    associationInitiation(),
  );
}

function acceptance(): string {
  return blocks(
    '#### 7.2.3 Association acceptance',
    paragraph(
      'An association is accepted when the called AE title is the configured one or one of the aliases, the calling AE title',
      '(and its address and certificate, where they are configured) belongs to a configured modality or unknown callers are',
      'welcome, the disk takes instances, and there is room. AE titles are compared without leading and trailing spaces and',
      'NULs, upper and lower case as they are. Titles and reserved bytes come back in the A-ASSOCIATE-AC byte for byte. Of',
      'the protocol version only bit 0 counts.',
    ),
    '**Table 7-2. Presentation contexts**',
    table(
      ['Abstract syntax', 'Transfer syntaxes', 'Role', 'Extended negotiation'],
      [
        [`Verification ${code(verificationSopClass)}`, 'any', 'SCP', 'none'],
        ['every Storage SOP Class of Annex A', 'all of Annex B, and any other', 'SCP', 'none'],
        [
          'every SOP Class UID that is in no table of the standard, unless `intake.unknownSopClasses` is "refuse"',
          'all of Annex B, and any other',
          'SCP',
          'none',
        ],
      ],
    ),
    paragraph(
      `At most ${limit('presentationContextsMax')} contexts of at most ${limit('transferSyntaxesPerContextMax')} transfer syntaxes each are read. A context of another service is answered with result`,
      `${contextResults.abstractSyntaxRefused} (abstract syntax not supported), one without any legal transfer syntax UID with ${contextResults.transferSyntaxesRefused}; an association in which no context is accepted is`,
      'accepted all the same, so that the device can read why.',
    ),
    bullets(
      `**Roles** (PS3.7 D.3.3.4): a device that proposes SCU, or both, is granted SCU. A context in which it wants to be SCP only is refused with result ${contextResults.refusedByUser}.`,
      '**SOP Class Extended and Common Extended Negotiation** are passed over and not answered.',
      '**User Identity** (PS3.7 D.3.3.7) is passed over, neither checked nor kept nor logged, and not answered. A device that insists on a positive response ends the association itself: switch that off in the device.',
      '**Unknown items** of the A-ASSOCIATE-RQ are passed over.',
    ),
    '#### 7.2.4 Which transfer syntax is chosen',
    paragraph(
      'One for each context. Compressed syntaxes come first, since they save the line and the modality has done the work;',
      'but lossy ones only where the device names them before every uncompressed one, so that the choice here never',
      'degrades an image. Then Explicit VR Little Endian, Deflated, Explicit VR Big Endian, Implicit VR Little Endian, lossy',
      'ones named later, and at last unknown ones and those that hold no pixel data. Among equals the order of the device counts.',
    ),
    '**Table 7-3. Examples**',
    preferenceTable(),
  );
}

const explicitLittle = '1.2.840.10008.1.2.1';
const implicitLittle = '1.2.840.10008.1.2';
const explicitBig = '1.2.840.10008.1.2.2';
const deflated = '1.2.840.10008.1.2.1.99';
const jpegBaseline = '1.2.840.10008.1.2.4.50';
const jpegLsLossless = '1.2.840.10008.1.2.4.80';
const privateSyntax = '1.2.840.113619.9.9';

function preferenceTable(): string {
  const examples = [
    [implicitLittle],
    [implicitLittle, explicitLittle],
    [explicitLittle, implicitLittle, jpegLsLossless],
    [jpegBaseline, explicitLittle],
    [explicitLittle, jpegBaseline],
    [implicitLittle, explicitBig],
    [deflated, implicitLittle],
    [privateSyntax, implicitLittle],
    [privateSyntax],
  ];
  const name = (uid: string): string => (uid === privateSyntax ? 'a private one' : transferSyntaxName(uid));
  return table(
    ['The device proposes', 'Chosen'],
    examples.map((proposed) => [
      proposed.map(name).join('; '),
      name(preferredTransferSyntax(proposed) ?? ''),
    ]),
  );
}

/** PS3.8 table 9-21. */
const rejectResults = { 1: 'permanent', 2: 'transient' } as const;
const rejectReasons: Readonly<Record<string, string>> = {
  '1/2': 'application context name not supported',
  '1/3': 'calling AE title not recognized',
  '1/7': 'called AE title not recognized',
  '2/2': 'protocol version not supported',
  '3/1': 'temporary congestion',
  '3/2': 'local limit exceeded',
};

/** PS3.8 table 9-26. */
const abortReasons: Readonly<Record<string, string>> = {
  '0/0': 'by the service user',
  '2/1': 'unrecognized PDU',
  '2/2': 'unexpected PDU',
  '2/5': 'unexpected PDU parameter',
  '2/6': 'invalid PDU parameter value',
};

/** @throws Error for words that are not in the table of the standard */
function wordsOf(words: Readonly<Record<string, string>>, key: string): string {
  const found = words[key];
  if (found === undefined) throw new Error(`no words for ${key}`);
  return found;
}

function ends(): string {
  const rejected = Object.values(rejections).map(({ reject: { result, source, reason }, why }) => [
    `${result}/${source}/${reason}`,
    `${rejectResults[result]}: ${wordsOf(rejectReasons, `${source}/${reason}`)}`,
    why.message,
    why.nextStep,
  ]);
  // A write that fails concerns the object under way; associations are rejected for what follows from it.
  const { io: _, ...closing } = spoolRefusals;
  const closed = Object.values(closing).map(({ message, nextStep }) => [
    '2/3/1',
    `transient: ${wordsOf(rejectReasons, '3/1')}`,
    message,
    nextStep,
  ]);
  return blocks(
    '### 7.3 Associations that are rejected or ended',
    paragraph(
      'Every one of these is shown on the page of the gateway and in its API, with the device, a code and the words below;',
      '`deploy/refusals.md` lists all codes, those of refused instances too. Result 2 means that the device should try',
      'again later.',
    ),
    '**Table 7-4. A-ASSOCIATE-RJ** (result/source/reason)',
    table(['On the wire', 'PS3.8', 'Why', 'What to do'], [...rejected, ...closed]),
    '**Table 7-5. A-ABORT by the gateway** (source/reason)',
    table(['On the wire', 'PS3.8', 'Why', 'What to do'], abortRows()),
    paragraph(
      'A connection that does not begin with an association request in time, or with something that is not DICOM, is closed',
      'without a word. A device that asks for release in the middle of an instance is aborted (2/2), since that instance was',
      'not stored. A device that asks for release without waiting for its last response gets the response first. One that',
      'aborts or closes after its last response has lost nothing and does not count as refused.',
    ),
  );
}

function abortRows(): string[][] {
  return Object.values<Fault>(faults).flatMap(({ abort, message, nextStep }) => {
    if (abort === null) return [];
    const key = `${abort.source}/${abort.reason}`;
    return [[key, wordsOf(abortReasons, key), message, nextStep]];
  });
}

function statuses(): string {
  const { unrecognizedOperation, ...store } = storeStatuses;
  const serviceStatus = (status: number): string => (status === 0 ? 'Success' : 'Failure');
  const related = (words: string): string => (words === '' ? '' : `Error Comment (0000,0902): "${words}"`);
  return blocks(
    '### 7.4 Status codes (DIMSE)',
    '**Table 7-6. C-STORE, as SCP.** No warnings are used. The Error Comment may name the cause more precisely; it holds no patient data.',
    table(
      ['Service status', 'Code', 'Related fields', 'Sent when', 'What the sender does'],
      Object.values(store).map(({ status, words, when, senderNext }) => [
        serviceStatus(status),
        code(hex4(status)),
        related(words),
        sentence(when),
        sentence(senderNext),
      ]),
    ),
    paragraph(
      'After any of these the association goes on. A failure says that nothing of the instance was kept. An instance that was',
      'not answered counts as not received, and is not kept unless it had become durable before the association broke.',
    ),
    '**Table 7-7. Other services**',
    table(
      ['Request', 'Answer'],
      [
        ['C-ECHO', code(hex4(store.stored.status))],
        ['C-CANCEL, and responses nobody asked for', 'passed over'],
        [
          'C-FIND, C-GET, C-MOVE, N-EVENT-REPORT, N-GET, N-SET, N-ACTION, N-CREATE, N-DELETE and unknown ones, in an accepted context',
          `${code(hex4(unrecognizedOperation.status))}, Error Comment "${unrecognizedOperation.words}"; their data set is thrown away`,
        ],
      ],
    ),
    paragraph(
      'Priority, Move Originator and unknown elements of a command are passed over; its group length is not checked. Any',
      'Command Data Set Type other than 0101H means that a data set follows.',
    ),
  );
}
