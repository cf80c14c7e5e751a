import { createHash } from 'node:crypto';
import { statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { DimseSender } from '../../src/demo/dimse-sender.ts';
import { tags } from '../../src/dicom/tags.ts';
import type { SOPClassUID, SOPInstanceUID, TransferSyntaxUID } from '../../src/dicom/uid.ts';
import { temporaryDirectory } from '../fixtures/data-directory.ts';
import { startDigestingArchive } from '../fixtures/digesting-archive.ts';
import { element, encodeDataSet, newUid } from '../fixtures/dicom-objects.ts';
import { startGateway } from '../fixtures/gateway-process.ts';

/* An encapsulated object just over 4 GiB, made as it is sent: nobody holds it. */

const freeBytesMin = 15e9;
const { bavail, bsize } = statfsSync(tmpdir());
const roomy = bavail * bsize >= freeBytesMin;
if (!roomy)
  process.stderr.write(
    'SKIPPED: test/e2e/four-gibibytes.test.ts needs 15 GB free in the temporary directory\n',
  );

const videoClass = '1.2.840.10008.5.1.4.1.1.77.1.1.1' as SOPClassUID;
const mpeg4 = '1.2.840.10008.1.2.4.102' as TransferSyntaxUID;
/** The longest a fragment can be (PS3.5 §A.4: 32 bits, even, not the undefined length), and one more behind it. */
const fragmentLengths = [0xffff_fffe, 70_000];

class LargeVideo {
  readonly SOPInstanceUID = newUid() as SOPInstanceUID;
  readonly #hash = createHash('sha256');
  bytes = 0;

  async *dataSet(): AsyncGenerator<Buffer> {
    for (const bytes of this.#pieces()) {
      this.#hash.update(bytes);
      this.bytes += bytes.length;
      yield bytes;
    }
  }

  sha256(): string {
    return this.#hash.copy().digest('hex');
  }

  *#pieces(): Generator<Buffer> {
    const header = encodeDataSet(
      [
        element(tags.SOPClassUID, 'UI', videoClass),
        element(tags.SOPInstanceUID, 'UI', this.SOPInstanceUID),
        element(tags.Modality, 'CS', 'ES'),
        element(tags.StudyInstanceUID, 'UI', newUid()),
        element(tags.SeriesInstanceUID, 'UI', newUid()),
        element(tags.PixelData, 'OB', { offsetTable: Buffer.alloc(0), fragments: [] }),
      ],
      'explicit-le',
    );
    const end = header.subarray(-8);
    yield header.subarray(0, -8);
    const pattern = Buffer.alloc(1024 * 1024, 'not the same at any place: ');
    let made = 0;
    for (const length of fragmentLengths) {
      const item = Buffer.from([0xfe, 0xff, 0x00, 0xe0, 0, 0, 0, 0]);
      item.writeUInt32LE(length, 4);
      yield item;
      for (let left = length; left > 0; left -= Math.min(left, pattern.length)) {
        const piece = Buffer.from(pattern.subarray(0, Math.min(left, pattern.length)));
        piece.writeUInt32LE(made++, 0);
        yield piece;
      }
    }
    yield end;
  }
}

test.skipIf(!roomy)(
  'an encapsulated object of just over 4 GiB is stored, and at the archive byte for byte',
  { timeout: 600_000 },
  async () => {
    using directory = temporaryDirectory();
    const archive = await startDigestingArchive();
    await using cleanup = new AsyncDisposableStack();
    cleanup.defer(() => archive.stop());
    const gateway = await startGateway(join(directory.path, 'data'), {
      destinations: { cloud: { type: 'stow', url: archive.url, verify: 'response' } },
    });
    cleanup.defer(() => gateway.kill());
    const video = new LargeVideo();
    const sender = await DimseSender.connect({
      host: '127.0.0.1',
      port: gateway.dicomPort,
      callingAeTitle: 'VIDEO',
      calledAeTitle: 'GANTRY',
      contexts: [{ SOPClassUID: videoClass, transferSyntaxes: [mpeg4] }],
      timeoutMs: 300_000,
    });
    const start = performance.now();
    const { SOPInstanceUID } = video;
    const stored = await sender.store({
      SOPClassUID: videoClass,
      SOPInstanceUID,
      TransferSyntaxUID: mpeg4,
      dataSet: video.dataSet(),
    });
    expect(stored.status).toBe(0);
    await sender.release();
    const answered = performance.now();
    expect(video.bytes).toBeGreaterThan(2 ** 32);
    await gateway.until(({ totals }) => totals.delivered === 1, 300_000);
    const seconds = (from: number, to: number): string => ((to - from) / 1000).toFixed(1);
    process.stderr.write(
      `4 GiB object: answered after ${seconds(start, answered)} s, forwarded after another ${seconds(answered, performance.now())} s\n`,
    );
    expect(archive.instances).toEqual([
      {
        SOPInstanceUID,
        TransferSyntaxUID: mpeg4,
        dataSetBytes: video.bytes,
        dataSetSha256: video.sha256(),
      },
    ]);
  },
);
