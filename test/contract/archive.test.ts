import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDicomWebClient } from '../../src/archive/dicomweb.ts';
import { createDimseClient } from '../../src/archive/dimse.ts';
import { createFolderClient, folderMarker } from '../../src/archive/folder.ts';
import { silentLog } from '../../src/base/log.ts';
import { SandboxArchive } from '../../src/demo/sandbox-archive.ts';
import { type RunningScp, startDcmqrscp, startStorescp } from '../fixtures/dcmtk-scp.ts';
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

async function orthancDimse(): Promise<ArchiveUnderTest | null> {
  const archive = await startOrthanc({
    environment: { TCP_NODELAY: '1' },
    configuration: { DicomAlwaysAllowFind: true, DicomAlwaysAllowGet: true },
  });
  if (archive === null) return null;
  return dimseTo('ORTHANC', { port: archive.dicomPort, stop: () => archive.stop() });
}

async function dcmtk(start: () => Promise<RunningScp | null>): Promise<ArchiveUnderTest | null> {
  const scp = await start();
  return scp === null ? null : dimseTo('PACS', scp);
}

function dimseTo(aeTitle: string, { port, stop }: Pick<RunningScp, 'port' | 'stop'>): ArchiveUnderTest {
  const client = createDimseClient({
    host: '127.0.0.1',
    port,
    aeTitle,
    callingAeTitle: 'GANTRY',
    tls: null,
  });
  return {
    client,
    stop: async () => {
      await client.close();
      await stop();
    },
  };
}

async function folder(): Promise<ArchiveUnderTest> {
  const path = await mkdtemp(join(tmpdir(), 'gantry-folder-'));
  await writeFile(join(path, folderMarker), '');
  const client = createFolderClient({ path, layout: '{instanceHash}/{instance}.dcm', timeZone: 'UTC' });
  return {
    client,
    stop: async () => {
      await client.close();
      await rm(path, { recursive: true });
    },
  };
}

archiveContract('DICOMweb client and sandbox archive', sandbox, { otherBytes: 'refused' });
archiveContract('DICOMweb client and Orthanc', orthanc, { otherBytes: 'answers-stored' });
const dimse = { stores: 'instances', refuses: 'an unknown transfer syntax' } as const;
archiveContract('DIMSE client and Orthanc', orthancDimse, {
  ...dimse,
  otherBytes: 'answers-stored',
  partialReferences: 'unsupported',
});
archiveContract('DIMSE client and dcmqrscp', () => dcmtk(startDcmqrscp), {
  ...dimse,
  otherBytes: 'replaces',
  partialReferences: 'unsupported',
});
archiveContract('DIMSE client and storescp', () => dcmtk(startStorescp), {
  ...dimse,
  otherBytes: 'replaces',
  readBack: 'nothing',
});
archiveContract('folder client and a folder', folder, {
  otherBytes: 'refused',
  studies: 'unsupported',
  stores: 'instances',
  refuses: 'other bytes',
});
