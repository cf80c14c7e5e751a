import { generateKeyPairSync } from 'node:crypto';
import { SignJWT } from 'jose';
import { afterEach, describe, expect, test } from 'vitest';
import { silentLog } from '../../src/base/log.ts';
import {
  createReceiptSigner,
  type Receipt,
  type ReceiptStore,
  verifyReceipt,
} from '../../src/proof/receipt.ts';
import { ReceiptWriter } from '../../src/proof/receipt-writer.ts';
import { Retention } from '../../src/proof/retention.ts';
import { ctSlice, newUid } from '../fixtures/dicom-objects.ts';
import { ManualClock } from '../fixtures/manual-clock.ts';
import { MemorySpool } from '../fixtures/memory-spool.ts';

const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const signer = createReceiptSigner(privateKey, 'box-key-1');

class MemoryReceipts implements ReceiptStore {
  readonly written: { studyKey: string; receiptNumber: number; jws: string }[] = [];
  readonly #waiting: { count: number; resolve: () => void }[] = [];
  failures = 0;

  write(studyKey: string, receiptNumber: number, jws: string): Promise<void> {
    if (this.failures > 0) {
      this.failures -= 1;
      return Promise.reject(new Error('disk full'));
    }
    this.written.push({ studyKey, receiptNumber, jws });
    for (const { count, resolve } of this.#waiting) if (this.written.length >= count) resolve();
    return Promise.resolve();
  }
  list(): Promise<string[]> {
    return Promise.resolve([...new Set(this.written.map(({ studyKey }) => studyKey))]);
  }
  read(studyKey: string): Promise<string | null> {
    return Promise.resolve(this.written.findLast((each) => each.studyKey === studyKey)?.jws ?? null);
  }
  async receipt(index: number): Promise<Receipt> {
    await new Promise<void>((resolve) => {
      if (this.written.length > index) resolve();
      else this.#waiting.push({ count: index + 1, resolve });
    });
    return verifyReceipt(this.written[index]?.jws ?? '', publicKey);
  }
}

const running: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((each) => each.stop()));
});

function setUp() {
  const clock = new ManualClock();
  const spool = new MemorySpool(clock);
  const store = new MemoryReceipts();
  const start = (key = publicKey): ReceiptWriter => {
    const writer = new ReceiptWriter({
      spool,
      store,
      signer,
      publicKey: key,
      site: 'North Clinic',
      box: 'box-7',
      quietMsMax: 0,
      clock,
      log: silentLog,
    });
    running.push(writer);
    writer.start();
    return writer;
  };
  return { clock, spool, store, start };
}

const slice = (studyUID: string, seed: number) => ctSlice({ rows: 8, columns: 8, seed, studyUID });
const verified = (clock: ManualClock) =>
  ({ state: 'verified', by: 'metadata', verifiedAt: clock.now() }) as const;

describe('receipts', () => {
  test('attest what was received and how each delivery was proven, signed by the box', async () => {
    const { clock, spool, store, start } = setUp();
    const made = slice(newUid(), 1);
    const objectId = spool.add(made, { destinations: ['cloud', 'pacs'] });
    spool.put(objectId, verified(clock), 'cloud');
    spool.put(objectId, { state: 'quarantined', reason: { code: 'REFUSED', words: 'no' } }, 'pacs');
    start();

    const receipt = await store.receipt(0);
    expect(receipt).toMatchObject({
      number: 1,
      supersedes: null,
      site: 'North Clinic',
      box: 'box-7',
      StudyInstanceUID: made.StudyInstanceUID,
      issuedAt: '2026-01-02T10:00:00.000Z',
      undescribed: 0,
    });
    expect(receipt.instances).toEqual([
      {
        objectId,
        SOPInstanceUID: made.SOPInstanceUID,
        SOPClassUID: made.SOPClassUID,
        TransferSyntaxUID: made.TransferSyntaxUID,
        dataSetBytes: made.dataSet.length,
        dataSetSha256: spool.get(objectId).facts.dataSetSha256,
        receivedAt: '2026-01-02T10:00:00.000Z',
        carriedFrom: null,
        deliveries: [
          {
            destination: 'cloud',
            state: 'verified',
            provenBy: 'metadata',
            provenAt: '2026-01-02T10:00:00.000Z',
            reasonCode: null,
            sentAs: null,
          },
          {
            destination: 'pacs',
            state: 'quarantined',
            provenBy: null,
            provenAt: null,
            reasonCode: 'REFUSED',
            sentAs: null,
          },
        ],
      },
    ]);
  });

  test('late images supersede, and instances purged meanwhile are carried over', async () => {
    const { clock, spool, store, start } = setUp();
    const studyUID = newUid();
    const early = spool.add(slice(studyUID, 1));
    spool.put(early, verified(clock));
    start();
    const first = await store.receipt(0);

    clock.advance(73 * 3_600_000);
    const retention = new Retention({
      spool,
      schedule: '0 3 * * *',
      timeZone: 'UTC',
      keepVerifiedHours: 72,
      clock,
      log: silentLog,
    });
    expect(await retention.runNow()).toMatchObject({ instances: 1 });
    await expect(spool.open(early)).rejects.toMatchObject({ code: 'OBJECT_NOT_FOUND' });
    const late = spool.add(slice(studyUID, 2));
    spool.put(late, verified(clock));

    const second = await store.receipt(1);
    expect(second).toMatchObject({ number: 2, supersedes: 1, StudyInstanceUID: studyUID, undescribed: 0 });
    expect(second.instances.map((each) => [each.objectId, each.carriedFrom])).toEqual([
      [early, 1],
      [late, null],
    ]);
    expect(second.instances[0]?.dataSetSha256).toBe(first.instances[0]?.dataSetSha256);
  });

  test('nothing is carried over from a receipt that another key signed', async () => {
    const { clock, spool, store, start } = setUp();
    const studyUID = newUid();
    const early = spool.add(slice(studyUID, 1));
    spool.put(early, verified(clock));
    const stranger = generateKeyPairSync('ed25519');
    const writer = start();
    await store.receipt(0);
    await writer.stop();

    await spool.purgeVerified(clock.now() + 1);
    spool.put(spool.add(slice(studyUID, 2)), verified(clock));
    start(stranger.publicKey);
    const second = await store.receipt(1);
    expect(second).toMatchObject({ number: 2, supersedes: 1, undescribed: 1 });
    expect(second.instances).toHaveLength(1);
  });

  test('waits while a delivery of the study still moves', async () => {
    const { clock, spool, store, start } = setUp();
    const moving = newUid();
    spool.put(spool.add(slice(moving, 1)), verified(clock));
    const waiting = spool.add(slice(moving, 2));
    const other = slice(newUid(), 3);
    spool.put(spool.add(other), verified(clock));
    start();
    expect((await store.receipt(0)).StudyInstanceUID).toBe(other.StudyInstanceUID);
    expect(store.written).toHaveLength(1);

    spool.put(waiting, verified(clock));
    const receipt = await store.receipt(1);
    expect(receipt.StudyInstanceUID).toBe(moving);
    expect(receipt.instances).toHaveLength(2);
  });

  test('a study whose receipt cannot be written does not keep others from theirs, and is tried again', async () => {
    const { clock, spool, store, start } = setUp();
    const studies = [newUid(), newUid()];
    const ids = studies.map((studyUID, index) => spool.add(slice(studyUID, index)));
    store.failures = 1;
    for (const id of ids) spool.put(id, verified(clock));
    start();
    const first = await store.receipt(0);
    spool.announce();
    const second = await store.receipt(1);
    expect([first.StudyInstanceUID, second.StudyInstanceUID]).toEqual([studies[1], studies[0]]);
  });
});

describe('checking a receipt', () => {
  test('refuses a changed byte, another key, another algorithm and another document', async () => {
    const { clock, spool, store, start } = setUp();
    spool.put(spool.add(slice(newUid(), 1)), verified(clock));
    start();
    await store.receipt(0);
    const jws = store.written[0]?.jws ?? '';

    const [head = '', body = '', signature = ''] = jws.split('.');
    const changed = Buffer.from(body, 'base64url').toString().replace('North', 'South');
    const forged = [head, Buffer.from(changed).toString('base64url'), signature].join('.');
    const invalid = { code: 'RECEIPT_INVALID' };
    await expect(verifyReceipt(forged, publicKey)).rejects.toMatchObject(invalid);
    await expect(verifyReceipt(jws, generateKeyPairSync('ed25519').publicKey)).rejects.toMatchObject(invalid);
    await expect(verifyReceipt('not a receipt', publicKey)).rejects.toMatchObject(invalid);
    const token = await new SignJWT({ type: 'other' }).setProtectedHeader({ alg: 'EdDSA' }).sign(privateKey);
    await expect(verifyReceipt(token, publicKey)).rejects.toMatchObject(invalid);
    const unsigned = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${body}.`;
    await expect(verifyReceipt(unsigned, publicKey)).rejects.toMatchObject(invalid);
  });
});
