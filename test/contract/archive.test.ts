import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDicomWebClient } from '../../src/archive/dicomweb.ts';
import { silentLog } from '../../src/base/log.ts';
import { SandboxArchive } from '../../src/demo/sandbox-archive.ts';
import { startOrthanc } from '../fixtures/orthanc.ts';
import { type ArchiveUnderTest, archiveContract } from './archive.ts';

async function sandbox(): Promise<ArchiveUnderTest> {
  const dataDir = await mkdtemp(join(tmpdir(), 'gantry-sandbox-'));
  const archive = new SandboxArchive({ dataDir, host: '127.0.0.1', port: 0, log: silentLog });
  const { url } = await archive.start();
  const client = createDicomWebClient({ url });
  return {
    client,
    stop: async () => {
      await client.close();
      await archive.stop();
      await rm(dataDir, { recursive: true });
    },
  };
}

async function orthanc(): Promise<ArchiveUnderTest | null> {
  const archive = await startOrthanc({ environment: { TCP_NODELAY: '1' } });
  if (archive === null) return null;
  const client = createDicomWebClient({ url: archive.url });
  return {
    client,
    stop: async () => {
      await client.close();
      await archive.stop();
    },
  };
}

archiveContract('DICOMweb client and sandbox archive', sandbox, { otherBytes: 'refused' });
archiveContract('DICOMweb client and Orthanc', orthanc, { otherBytes: 'answers-stored' });
