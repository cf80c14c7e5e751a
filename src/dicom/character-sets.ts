/**
 * Defined Terms of Specific Character Set (PS3.3 §C.12.1.1.2) and the WHATWG encodings that read them. The default
 * repertoire and Latin 1 are read as windows-1252, which has all of both.
 */
const encodings: Readonly<Record<string, string>> = {
  'ISO_IR 6': 'windows-1252',
  'ISO_IR 100': 'windows-1252',
  'ISO_IR 101': 'iso-8859-2',
  'ISO_IR 109': 'iso-8859-3',
  'ISO_IR 110': 'iso-8859-4',
  'ISO_IR 144': 'iso-8859-5',
  'ISO_IR 127': 'iso-8859-6',
  'ISO_IR 126': 'iso-8859-7',
  'ISO_IR 138': 'iso-8859-8',
  'ISO_IR 148': 'windows-1254',
  'ISO_IR 203': 'iso-8859-15',
  'ISO_IR 13': 'shift_jis',
  'ISO_IR 166': 'windows-874',
  'ISO_IR 192': 'utf-8',
  'ISO_IR 87': 'iso-2022-jp',
  'ISO_IR 159': 'iso-2022-jp',
  'ISO_IR 149': 'euc-kr',
  'ISO_IR 58': 'gb18030',
  GB18030: 'gb18030',
  GBK: 'gbk',
};

/** Escapes that select a character set (ISO 2022); those of iso-2022-jp its own decoder reads. */
const escape = String.fromCharCode(0x1b);
const escapes = new RegExp(`${escape}(?:\\$\\)[AC]|\\([BJ]|-[A-Z]|\\)I)`, 'g');

/**
 * Reads text as its data set says it is written.
 * @param SpecificCharacterSet value of (0008,0005), with its backslashes; empty for the default repertoire
 */
export function decodeText(bytes: Buffer, SpecificCharacterSet: string): string {
  const terms = SpecificCharacterSet.split('\\')
    .map((term) => term.trim().replace(/^ISO 2022 IR /, 'ISO_IR '))
    .filter((term) => term !== '');
  // Where there are several, the first is what a text begins with, and the others hold what that cannot say.
  const named = terms.map((term) => encodings[term]).filter((name) => name !== undefined);
  const encoding = named.find((name) => !name.startsWith('windows-1252')) ?? named[0] ?? 'windows-1252';
  const plain =
    encoding === 'iso-2022-jp' ? bytes : Buffer.from(bytes.toString('latin1').replace(escapes, ''), 'latin1');
  return new TextDecoder(encoding).decode(plain);
}
