import { describe, expect, test } from 'vitest';
import { mediaTypeParameter, multipartBoundary, multipartParts } from '../../src/dicom/multipart.ts';

async function* pieces(text: string, length: number): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(text, 'latin1');
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length);
}

async function read(text: string, length: number): Promise<[string | undefined, string][]> {
  const parts: [string | undefined, string][] = [];
  for await (const part of multipartParts(pieces(text, length), 'b')) {
    let content = '';
    for await (const chunk of part.content) content += chunk.toString('latin1');
    parts.push([part.headers.get('content-type'), content]);
  }
  return parts;
}

const sizes = [1, 2, 3, 5, 7, 64, 10_000];

describe('parts', () => {
  test('are the same however the body is cut into pieces', async () => {
    const almost = '\r\n--\r\n-b--c\r\r\n--';
    const body = [
      'preamble\r\n--b\r\nContent-Type: application/dicom\r\nX-Other: 1\r\n\r\n',
      `one${almost}two`,
      '\r\n--b  \r\n\r\nwithout headers',
      '\r\n--b\r\ncontent-type:text/plain\r\n\r\n',
      '\r\n--b--\r\nepilogue',
    ].join('');
    for (const size of sizes) {
      expect(await read(body, size)).toEqual([
        ['application/dicom', `one${almost}two`],
        [undefined, 'without headers'],
        ['text/plain', ''],
      ]);
    }
  });

  test('that are not read, or not to their end, are passed over', async () => {
    const body = '--b\r\n\r\nfirst part\r\n--b\r\n\r\nsecond part\r\n--b\r\nA: 1\r\n\r\nthird\r\n--b--';
    for (const size of sizes) {
      const headers: (string | undefined)[] = [];
      for await (const part of multipartParts(pieces(body, size), 'b')) {
        headers.push(part.headers.get('a'));
        if (headers.length === 1) for await (const _ of part.content) break;
      }
      expect(headers).toEqual([undefined, undefined, '1']);
    }
  });

  const broken: readonly (readonly [string, string])[] = [
    ['nothing at all', ''],
    ['no delimiter', 'just words'],
    ['no closing delimiter', '--b\r\n\r\ncontent'],
    ['an end inside the headers', '--b\r\nContent-Type: a'],
    ['an end right behind a delimiter', '--b\r\n\r\ncontent\r\n--b'],
    ['an endless preamble', 'x'.repeat(100_000)],
    ['endless headers', `--b\r\n${'A: 1\r\n'.repeat(20_000)}`],
    ['an endless epilogue', `--b\r\n\r\nx\r\n--b--${'y'.repeat(100_000)}`],
  ];
  for (const [name, body] of broken) {
    test(`fail with ${name}`, async () => {
      for (const size of [1, 64, 10_000]) {
        await expect(read(body, size)).rejects.toMatchObject({ code: 'MULTIPART_INVALID' });
      }
    });
  }

  test('close the source when the reader stops early', async () => {
    let closed = false;
    async function* source(): AsyncGenerator<Buffer> {
      try {
        for (;;) yield Buffer.from('--b\r\n\r\ncontent that never ends');
      } finally {
        closed = true;
      }
    }
    for await (const part of multipartParts(source(), 'b')) {
      for await (const _ of part.content) break;
      break;
    }
    expect(closed).toBe(true);
  });
});

test('media types are read with quoted and plain parameters', () => {
  const type = 'Multipart/Related; type="application/dicom"; Boundary="a b\\"c"; transfer-syntax=*';
  expect(multipartBoundary(type)).toBe('a b"c');
  expect(mediaTypeParameter(type, 'type')).toBe('application/dicom');
  expect(mediaTypeParameter(type, 'transfer-syntax')).toBe('*');
  expect(mediaTypeParameter(type, 'charset')).toBeNull();
  for (const none of [
    'application/dicom; boundary=x',
    'multipart/related',
    `multipart/related; boundary=${'x'.repeat(71)}`,
  ]) {
    expect(multipartBoundary(none)).toBeNull();
  }
});
