import { gzipSync } from 'node:zlib';

/** Verdicts, one letter an instance: the table says by hand what each instance of the request must come to. */
export const letters = {
  s: 'stored',
  w: 'storedWithChange',
  u: 'unknown',
  r: 'retry',
  l: 'retryThenQuarantine',
  q: 'quarantine',
  t: 'resendAsReceived',
  c: 'compareWithArchive',
  p: 'split',
  h: 'halve',
  n: 'notBlamed',
} as const;

export interface StowCase {
  readonly name: string;
  /** What the archive writes to the line before it closes it. */
  readonly bytes: Buffer;
  /** Expected verdicts in the order sent; its length is the number of instances. */
  readonly expected: string;
}

/** UIDs of the request, by position; of one length, so that none is the beginning of another. */
export const uidAt = (at: number): string => `1.2.826.0.1.3680043.77.${1000 + at}`;
const stranger = '1.2.826.0.1.3680043.99.1';

type Entry = readonly [uid: string, code?: number | string];
type Format = 'json' | 'xml';

function jsonOf(referenced: readonly Entry[], failed: readonly Entry[]): string {
  const items = (entries: readonly Entry[], tag: string) =>
    entries.map(([uid, code]) => ({
      '00081155': { vr: 'UI', Value: [uid] },
      ...(code === undefined ? {} : { [tag]: { vr: 'US', Value: [code] } }),
    }));
  return JSON.stringify({
    '00081199': { vr: 'SQ', Value: items(referenced, '00081196') },
    '00081198': { vr: 'SQ', Value: items(failed, '00081197') },
  });
}

function xmlOf(referenced: readonly Entry[], failed: readonly Entry[]): string {
  const attribute = (tag: string, vr: string, inner: string): string =>
    `<DicomAttribute tag="${tag}" vr="${vr}">${inner}</DicomAttribute>`;
  const items = (entries: readonly Entry[], tag: string): string =>
    entries
      .map(([uid, code], at) => {
        const why = code === undefined ? '' : attribute(tag, 'US', `<Value number="1">${code}</Value>`);
        return `<Item number="${at + 1}">${attribute('00081155', 'UI', `<Value number="1">${uid}</Value>`)}${why}</Item>`;
      })
      .join('');
  return `<?xml version="1.0" encoding="UTF-8"?><NativeDicomModel xmlns="http://dicom.nema.org/PS3.19/models/NativeDICOM">${attribute('00081199', 'SQ', items(referenced, '00081196'))}${attribute('00081198', 'SQ', items(failed, '00081197'))}</NativeDicomModel>`;
}

const write = { json: jsonOf, xml: xmlOf } as const;

interface Framing {
  readonly status?: number;
  readonly type?: string;
  readonly headers?: string;
  readonly framing?: 'length' | 'chunked' | 'close';
}

function response(
  body: string | Buffer,
  { status = 200, type, headers = '', framing }: Framing = {},
): Buffer {
  const bytes = Buffer.from(body);
  const head = `HTTP/1.1 ${status} X\r\n${type === '' ? '' : `Content-Type: ${type ?? 'application/dicom+json'}\r\n`}${headers}Connection: close\r\n`;
  if (framing === 'close') return Buffer.concat([Buffer.from(`${head}\r\n`), bytes]);
  if (framing === 'chunked') {
    const half = Math.ceil(bytes.length / 2);
    const chunks = [bytes.subarray(0, half), bytes.subarray(half)].flatMap((chunk) => [
      Buffer.from(`${chunk.length.toString(16)}\r\n`),
      chunk,
      Buffer.from('\r\n'),
    ]);
    return Buffer.concat([
      Buffer.from(`${head}Transfer-Encoding: chunked\r\n\r\n`),
      ...chunks,
      Buffer.from('0\r\n\r\n'),
    ]);
  }
  return Buffer.concat([Buffer.from(`${head}Content-Length: ${bytes.length}\r\n\r\n`), bytes]);
}

const a = uidAt(0);
const b = uidAt(1);
const first = (count: number): Entry[] => Array.from({ length: count }, (_, at): Entry => [uidAt(at)]);

/** Where an answer about two stored instances breaks off: up to and with the text given. */
const bodyCuts: Readonly<Record<Format, readonly (readonly [string, string])[]>> = {
  json: [
    ['after the first brace', '{'],
    ['inside a tag', '{"0008'],
    ['after a tag', '{"00081199"'],
    ['inside the name of a member', '{"00081199":{"v'],
    ['inside a string', '{"00081199":{"vr":"S'],
    ['inside the first UID', a.slice(0, -2)],
    ['after the last digit of the first UID', a],
    ['after the first UID', `${a}"]}}`],
    ['inside the second UID', b.slice(0, -1)],
    ['after the second UID', `${b}"`],
    ['after the list', `${b}"]}}]}`],
    ['inside the second sequence', '"00081198":{"vr":"SQ","Value":['],
    ['before the last brace', '"Value":[]}'],
  ],
  xml: [
    ['inside the declaration', '<?xml ver'],
    ['inside the first tag', '<NativeDicom'],
    ['inside an attribute', 'tag="0008'],
    ['inside the first UID', a.slice(0, -2)],
    ['after the first UID', `${a}</Value>`],
    ['after the first item', '</Item>'],
    ['inside the second UID', b.slice(0, -1)],
    ['inside a closing tag', `${b}</Val`],
    ['after both items', '</Item></DicomAttribute>'],
    ['inside the second sequence', 'tag="00081198"'],
    ['before the last tag', '</DicomAttribute></NativeDicomModel'.slice(0, -16)],
    ['before the last bracket', '</NativeDicomModel'],
  ],
};

function cuts(format: Format): StowCase[] {
  const text = write[format](first(2), []);
  return bodyCuts[format].flatMap(([where, upTo]) => {
    const at = text.indexOf(upTo);
    if (at < 0) throw new Error(`no such place: ${where}`);
    const cut = text.slice(0, at + upTo.length);
    return (['length', 'chunked', 'close'] as const).map((framing) => {
      const whole = response(text, { framing });
      // Promised by length or chunk, but the rest never comes; or an end that looks like one.
      const bytes =
        framing === 'close'
          ? response(cut, { framing })
          : framing === 'length'
            ? whole.subarray(0, whole.length - (text.length - cut.length))
            : response(cut, { framing });
      return { name: `${format}, ${framing}: ends ${where}`, bytes, expected: 'uu' };
    });
  });
}

function lineCuts(format: Format): StowCase[] {
  const text = write[format](first(2), []);
  const plain = response(text);
  const chunked = response(text, { framing: 'chunked' });
  const upTo = (bytes: Buffer, word: string): Buffer => bytes.subarray(0, bytes.indexOf(word) + word.length);
  const secondChunk = chunked.length - 12 - Math.floor(text.length / 2);
  return [
    ['nothing at all', Buffer.alloc(0)],
    ['inside the version', upTo(plain, 'HTT')],
    ['inside the status', upTo(plain, 'HTTP/1.1 2')],
    ['after the status line', upTo(plain, ' X\r\n')],
    ['inside a header', upTo(plain, 'Content-Ty')],
    ['before the blank line', upTo(plain, 'Content-Length')],
    ['after the blank line', upTo(plain, '\r\n\r\n')],
    ['between the chunks', chunked.subarray(0, secondChunk)],
    ['inside the last chunk', chunked.subarray(0, -20)],
    ['before the chunk that ends it', chunked.subarray(0, -5)],
    ['inside the chunk that ends it', chunked.subarray(0, -4)],
    ['one byte early', plain.subarray(0, -1)],
  ].map(([where, bytes]) => ({
    name: `${format}: the line ends: ${String(where)}`,
    bytes: bytes as Buffer,
    expected: 'uu',
  }));
}

function mixes(format: Format): StowCase[] {
  const said = (
    name: string,
    expected: string,
    referenced: readonly Entry[],
    failed: readonly Entry[] = [],
    options: Framing = {},
  ): StowCase => ({
    name: `${format}: ${name}`,
    bytes: response(write[format](referenced, failed), { type: `application/dicom+${format}`, ...options }),
    expected,
  });
  return [
    said('one stored', 's', first(1)),
    said('two stored, in chunks', 'ss', first(2), [], { framing: 'chunked' }),
    said('two stored, ended by the close', 'ss', first(2), [], { framing: 'close' }),
    said('100 stored', 's'.repeat(100), first(100)),
    said('100, the last is missing', `${'s'.repeat(99)}u`, first(99)),
    said('100, only the first is named', `s${'u'.repeat(99)}`, first(1)),
    said('in another order', 'ss', [[b], [a]]),
    said('referenced twice', 'su', [[a], [a]]),
    said('unknown UIDs only', 'uu', [[stranger], [`${stranger}.1`]]),
    said('as many as sent, one of them unknown', 'su', [[a], [stranger]]),
    said('a UID that is the beginning of ours', 'u', [[a.slice(0, -1)]]),
    said('a UID that begins with ours', 'u', [[`${a}0`]]),
    said('a UID with padding', 'ss', [[`${a} `], [`${b}  `]]),
    said('a UID with a leading zero', 'u', [[a.replace('.77.', '.077.')]]),
    said('two UIDs in one value', 'uu', [[`${a}\\${b}`]]),
    said('an empty UID', 'u', [['']]),
    said('a very long UID', 'us', [['1'.repeat(200_000)], [b]]),
    said('stored, with each of the warnings', 'www', [
      [uidAt(0), 0xb000],
      [uidAt(1), 0xb006],
      [uidAt(2), 0xb007],
    ]),
    said('a warning as text', 'w', [[a, '45056']]),
    said('stored, warned, failed and missing', 'swqu', [[a], [b, 0xb000]], [[uidAt(2), 0xa900]]),
    said('in both lists', 'us', [[a], [b]], [[a, 0xc000]]),
    said('in both lists, the failure as a duplicate', 'u', [[a]], [[a, 0x0111]]),
    said(
      'failed, for each reason',
      'rlqqqtccr',
      [],
      [
        [uidAt(0), 0xa700],
        [uidAt(1), 0x0110],
        [uidAt(2), 0xa900],
        [uidAt(3), 0xc000],
        [uidAt(4), 0x0122],
        [uidAt(5), 0xc122],
        [uidAt(6), 45_070],
        [uidAt(7), 0x0111],
        [uidAt(8), 45_071],
      ],
    ),
    said('a reason as text', 'q', [], [[a, '49152']]),
    said('a reason that is no number', 'l', [], [[a, 'broken']]),
    said('failed without a reason', 'l', [], [[a]]),
    said('failed though 200; a stranger stored', 'q', [[stranger]], [[a, 0xc000]]),
    said('stored, with 202', 's', first(1), [], { status: 202 }),
    said('one stored of two, with 409', 'sq', [[a]], [[b, 0xc000]], { status: 409 }),
    said('one named of two, with 400', 'su', [[a]], [], { status: 400 }),
    said('one named of two, with 500', 'sr', [[a]], [], { status: 500 }),
    said('one named of two, with 401', 'sn', [[a]], [], { status: 401 }),
    said('empty lists', 'uu', []),
  ];
}

function shapes(format: Format): StowCase[] {
  const text = write[format](first(2), []);
  const of = (name: string, expected: string, body: string | Buffer, options?: Framing): StowCase => ({
    name: `${format}: ${name}`,
    bytes: response(body, options),
    expected,
  });
  const gzip = 'Content-Encoding: gzip\r\n';
  return [
    of('byte order mark', 'ss', `\ufeff${text}`),
    of('UTF-16', 'ss', Buffer.from(`\ufeff${text}`, 'utf16le')),
    of('UTF-16 cut in half', 'uu', Buffer.from(`\ufeff${text.slice(0, text.length / 2)}`, 'utf16le')),
    of('UTF-16 without a mark', 'uu', Buffer.from(text, 'utf16le')),
    of('gzip', 'ss', gzipSync(text), { headers: gzip }),
    of('gzip cut', 'uu', gzipSync(text).subarray(0, -10), { headers: gzip }),
    of('gzip that is none', 'uu', text, { headers: gzip }),
    of('gzip that nobody names', 'uu', gzipSync(text)),
    of('the other content type', 'ss', text, {
      type: format === 'json' ? 'application/dicom+xml' : 'application/dicom+json',
    }),
    of('as a page', 'ss', text, { type: 'text/html' }),
    of('no content type', 'ss', text, { type: '' }),
    of('bytes behind it', 'uu', `${text}HTTP/1.1 200 OK`),
    of('itself behind it', 'uu', `${text}${text}`),
    of('nulls behind it', 'uu', `${text}\0\0`),
    of('blanks around it', 'ss', `\r\n ${text} \r\n`),
    of('inside a page', 'uu', `<html><body>${text}</body></html>`),
  ];
}

/** Answers that say something twice, where a careless reader sees only one of the two. */
function repeats(): StowCase[] {
  const json = (name: string, expected: string, body: string): StowCase => ({
    name: `json: ${name}`,
    bytes: response(body),
    expected,
  });
  const xml = (name: string, expected: string, body: string): StowCase => ({
    name: `xml: ${name}`,
    bytes: response(body, { type: 'application/dicom+xml' }),
    expected,
  });
  const inJson = (referenced: readonly Entry[], failed: readonly Entry[]): string =>
    jsonOf(referenced, failed).slice(1, -1);
  const inXml = (referenced: readonly Entry[], failed: readonly Entry[]): string =>
    xmlOf(referenced, failed).replace(/^.*?<NativeDicomModel[^>]*>|<\/NativeDicomModel>$/gs, '');
  const model = (inner: string): string => `<NativeDicomModel>${inner}</NativeDicomModel>`;
  const uidInJson = (uid: string): string => `"00081155":{"vr":"UI","Value":["${uid}"]}`;
  const sequence = (items: string): string => `{"00081199":{"vr":"SQ","Value":[${items}]}}`;
  const uidInXml = `<DicomAttribute tag="00081155" vr="UI"><Value number="1">${a}</Value></DicomAttribute>`;
  const item = `<DicomAttribute tag="00081199" vr="SQ"><Item number="1">${uidInXml}`;
  return [
    json('a failure, then all stored', 'uu', `{${inJson([], [[a, 0xc000]])},${inJson(first(2), [])}}`),
    json('all stored, then a failure', 'uu', `{${inJson(first(2), [])},${inJson([], [[a, 0xc000]])}}`),
    json('the same said twice', 'uu', `{${inJson(first(2), [])},${inJson(first(2), [])}}`),
    json('a sequence twice, once by escapes', 'u', `{"0008119\\u0039":{},${inJson([[a]], [])}}`),
    json('two UIDs for one item', 'uu', sequence(`{${uidInJson(b)},${uidInJson(a)}}`)),
    json(
      'two lists in one sequence',
      'uu',
      '{"00081198":{"Value":[1],"Value":[]},'.concat(inJson(first(2), []).split(',"00081198"')[0] ?? '', '}'),
    ),
    json(
      'two data sets, one of them a failure',
      'us',
      `[${jsonOf([], [[a, 0xc000]])},${jsonOf(first(2), [])}]`,
    ),
    json(
      'a brace and a quote inside a text',
      's',
      `{"00081190":{"vr":"UR","Value":["{\\"a\\":1,\\"a\\":2}"]},${inJson([[a]], [])}}`,
    ),
    xml('a failure, then all stored', 'uu', model(inXml([], [[a, 0xc000]]) + inXml(first(2), []))),
    xml('all stored, then a failure', 'uu', model(inXml(first(2), []) + inXml([], [[a, 0xc000]]))),
    xml('the same said twice', 'uu', model(inXml(first(2), []) + inXml(first(2), []))),
    xml('two UIDs for one item', 'u', model(`${item}${uidInXml}</Item></DicomAttribute>`)),
    xml('two models', 'uu', model(inXml(first(2), [])).repeat(2)),
    xml('a tag that is none', 'u', model(`<DicomAttribute tag="0008,1198"/>${inXml([[a]], [])}`)),
    xml('the tag of an attribute twice', 'u', model(inXml([[a]], []).replace('tag=', 'tag="00081198" tag='))),
    xml(
      'private elements of two creators',
      's',
      model(
        `<DicomAttribute tag="00090097" privateCreator="A"/><DicomAttribute tag="00090097" privateCreator="B"/>${inXml([[a]], [])}`,
      ),
    ),
    ...formats.flatMap((format) => {
      const blanks = (name: string, uid: string, expected: string): StowCase => ({
        name: `${format}: ${name}`,
        bytes: response(write[format]([[uid]], []), { type: `application/dicom+${format}` }),
        expected,
      });
      return [
        blanks('a UID with a leading blank', ` ${a}`, 'u'),
        blanks('a UID with a tab behind it', `${a}${format === 'json' ? '\t' : '&#9;'}`, 'u'),
      ];
    }),
  ];
}

const plain: readonly StowCase[] = (
  [
    ['204', 'uu', '', 204],
    ['empty 200', 'uu', '', 200],
    ['empty 202', 'uu', '', 202],
    ['a page with 200', 'uu', '<!DOCTYPE html><html><body>Sign in</body></html>', 200],
    ['a page with 502', 'rr', '<html>Bad gateway</html>', 502],
    ['a page with 403', 'nn', '<html>Blocked</html>', 403],
    ['a redirect to a page', 'nn', '<html>Sign in</html>', 302],
    ['too large', 'hh', '', 413],
    ['too large alone', 'q', '', 413],
    ['busy', 'rr', '', 429],
    ['malformed', 'pp', '', 400],
    ['a JSON string', 'uu', '"stored"', 200],
    ['null', 'uu', 'null', 200],
    ['a list of nothing', 'uu', '[]', 200],
    ['UIDs in plain words', 'uu', `stored ${a} ${b}`, 200],
    [
      'the UID as a number',
      'u',
      '{"00081199":{"vr":"SQ","Value":[{"00081155":{"vr":"UI","Value":[1.2]}}]}}',
      200,
    ],
    ['the sequence as a text', 'u', `{"00081199":{"vr":"SQ","Value":"${a}"}}`, 200],
    ['an error document', 'uu', '{"error":{"code":409,"message":"exists"}}', 200],
  ] as const
).map(([name, expected, body, status]) => ({
  name,
  expected,
  bytes: response(body, { status, framing: status === 204 ? 'close' : 'length' }),
}));

const formats = ['json', 'xml'] as const;

export const stowCases: readonly StowCase[] = [
  ...formats.flatMap((format) => [...lineCuts(format), ...cuts(format), ...mixes(format), ...shapes(format)]),
  ...repeats(),
  ...plain,
];
