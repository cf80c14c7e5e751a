import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import type { TransferSyntaxUID } from '../../src/dicom/uid.ts';
import { examine } from '../../src/proof/examine.ts';
import type { ProofItem } from '../../src/spool/types.ts';
import { ctSlice } from '../fixtures/dicom-objects.ts';
import { ManualClock } from '../fixtures/manual-clock.ts';
import { MemoryArchive } from '../fixtures/memory-archive.ts';
import { MemorySpool } from '../fixtures/memory-spool.ts';

/* An instance was sent compressed, and its compressed object is not here any more. */

const syntax = '1.2.840.10008.1.2.4.201' as TransferSyntaxUID;
const made = ctSlice({ rows: 16, columns: 12, seed: 1, studyUID: '1.2.3.4.5.6', seriesUID: '1.2.3.4.5.6.7' });
const sent = Buffer.from('what the codec made of it');

async function look(archived: Buffer, archivedSyntax: TransferSyntaxUID) {
  const spool = new MemorySpool(new ManualClock());
  const archive = new MemoryArchive();
  archive.put(made, { dataSet: archived, TransferSyntaxUID: archivedSyntax });
  const objectId = spool.add(made, {
    image: { Rows: 16, Columns: 12, BitsAllocated: 16, NumberOfFrames: 1 },
  });
  const digest = spool.digestKey(createHash('sha256').update(sent).digest('hex'));
  const item: ProofItem = {
    objectId,
    destination: 'cloud',
    sentId: objectId,
    otherId: null,
    lostForm: { TransferSyntaxUID: syntax, dataSetBytes: sent.length, digest },
    bytes: made.dataSet.length,
    needsDigest: true,
    existed: true,
    polls: 0,
    deliveredAt: 0,
    assumed: false,
  };
  return examine(item, 'digest', { client: archive, spool, signal: AbortSignal.timeout(60_000) });
}

test('it is proven by the digest that was noted', async () => {
  expect(await look(sent, syntax)).toMatchObject({ kind: 'proven', by: 'digest', form: 'prepared' });
});

test('other bytes, and the same in another transfer syntax, are a conflict', async () => {
  expect(await look(Buffer.from('what the codec made of id'), syntax)).toMatchObject({ kind: 'different' });
  expect(await look(sent, '1.2.840.10008.1.2.4.80' as TransferSyntaxUID)).toMatchObject({
    kind: 'different',
  });
});
