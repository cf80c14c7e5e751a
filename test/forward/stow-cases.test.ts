import { expect, test } from 'vitest';
import type { StoreItem } from '../../src/archive/port.ts';
import type { SOPClassUID, SOPInstanceUID, TransferSyntaxUID } from '../../src/dicom/uid.ts';
import { judge } from '../../src/forward/outcome.ts';
import { rawServer } from '../archive/fault-server.ts';
import { keepOpened } from '../archive/opened.ts';
import { letters, stowCases, uidAt } from './stow-cases.ts';

const never = new AbortController().signal;
const { using, clientOf } = keepOpened();

const items = (count: number): StoreItem[] =>
  Array.from({ length: count }, (_, at) => ({
    SOPClassUID: '1.2.840.10008.5.1.4.1.1.2' as SOPClassUID,
    SOPInstanceUID: uidAt(at) as SOPInstanceUID,
    StudyInstanceUID: null,
    SeriesInstanceUID: null,
    TransferSyntaxUID: '1.2.840.10008.1.2.1' as TransferSyntaxUID,
    bytes: 4,
    content: async function* () {
      yield Buffer.from('DICM');
    },
  }));

test('there are enough cases, each with a name of its own', () => {
  expect(stowCases.length).toBeGreaterThanOrEqual(120);
  expect(new Set(stowCases.map(({ name }) => name)).size).toBe(stowCases.length);
});

test.each(stowCases)('$name', async ({ bytes, expected }) => {
  const server = using(
    await rawServer((socket) => {
      let request = '';
      socket.on('data', (chunk) => {
        request += chunk.toString('latin1');
        if (request.endsWith('--\r\n')) socket.end(bytes);
      });
    }),
  );
  const sent = items(expected.length);
  const answer = await clientOf(server.url).store(sent, never);
  const kinds = judge(answer, sent).perInstance.map(({ kind }) => kind);
  expect(kinds).toEqual(expected.split('').map((letter) => letters[letter as keyof typeof letters]));
});
