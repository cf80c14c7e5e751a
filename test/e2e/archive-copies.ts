import type { RunningOrthanc } from '../fixtures/orthanc.ts';
import { part10Head } from '../fixtures/send-files.ts';

/*
 * What the archive holds, asked with nothing but fetch: none of the gateway's own client is used to check it.
 */

export interface ArchivedInstance {
  readonly StudyInstanceUID: string;
  readonly SeriesInstanceUID: string;
  readonly SOPInstanceUID: string;
}

/** Every instance the archive shows (QIDO-RS, PS3.18 §10.6). */
export async function instancesAt(orthanc: RunningOrthanc): Promise<ArchivedInstance[]> {
  const search = orthanc.url.replace(/studies$/, 'instances?limit=10000');
  const response = await fetch(search, { headers: { accept: 'application/dicom+json' } });
  const found = (await response.json()) as Record<string, { Value?: string[] }>[];
  return found.map((document) => ({
    StudyInstanceUID: document['0020000D']?.Value?.[0] ?? '',
    SeriesInstanceUID: document['0020000E']?.Value?.[0] ?? '',
    SOPInstanceUID: document['00080018']?.Value?.[0] ?? '',
  }));
}

/** How many instances the archive holds. */
export async function countAt(orthanc: RunningOrthanc): Promise<number> {
  return ((await get(orthanc, '/statistics')) as { CountInstances: number }).CountInstances;
}

/** Empties the archive. */
export async function emptyArchive(orthanc: RunningOrthanc): Promise<void> {
  for (const id of (await get(orthanc, '/patients')) as string[]) {
    await fetch(`${orthanc.restUrl}/patients/${id}`, { method: 'DELETE' });
  }
}

/** Retrieves an instance as it is stored (WADO-RS, PS3.18 §10.4, `transfer-syntax=*`). @returns its data set */
export async function retrieveDataSet(
  orthanc: RunningOrthanc,
  { StudyInstanceUID, SeriesInstanceUID, SOPInstanceUID }: ArchivedInstance,
): Promise<Buffer> {
  const place = `${StudyInstanceUID}/series/${SeriesInstanceUID}/instances/${SOPInstanceUID}`;
  const accept = 'multipart/related; type="application/dicom"; transfer-syntax=*';
  const response = await fetch(`${orthanc.url}/${place}`, { headers: { accept } });
  if (response.status !== 200) throw new Error(`the archive answered ${response.status}`);
  const boundary = /boundary="?([^";]+)/.exec(response.headers.get('content-type') ?? '')?.[1];
  if (boundary === undefined) throw new Error('the answer is not multipart');
  const body = Buffer.from(await response.arrayBuffer());
  const start = body.indexOf('\r\n\r\n') + 4;
  const file = body.subarray(start, body.lastIndexOf(`\r\n--${boundary}--`));
  return file.subarray(part10Head(file).dataSetOffset);
}

async function get(orthanc: RunningOrthanc, path: string): Promise<unknown> {
  return (await fetch(orthanc.restUrl + path)).json();
}
