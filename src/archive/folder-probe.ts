import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { type Disk, nodeDisk, syncDirectory } from '../base/disk.ts';
import { ClientFault } from './client-fault.ts';
import { folderFault, folderMarker } from './folder.ts';

/** How far a probe of a folder came. `code` is one of `faultText`, or of the system. */
export type FolderProbe =
  | { readonly ok: true }
  | { readonly ok: false; readonly failed: 'mount' | 'write' | 'read' | 'delete'; readonly code: string };

const probeBytes = 4096;

/** Writes a file of random bytes into a folder, reads it back and deletes it. Leaves nothing behind where it can. */
export async function probeFolder(path: string, disk: Disk = nodeDisk): Promise<FolderProbe> {
  const name = join(path, `.gantry-probe-${randomBytes(8).toString('hex')}`);
  const bytes = randomBytes(probeBytes);
  let failed: 'mount' | 'write' | 'read' | 'delete' = 'mount';
  try {
    if ((await disk.facts(join(path, folderMarker))) === null) throw new ClientFault('FOLDER_NOT_MOUNTED');
    failed = 'write';
    const file = await disk.createFile(name);
    try {
      await file.write([bytes], 0);
      await file.sync();
      failed = 'read';
      const back = Buffer.alloc(probeBytes);
      if ((await file.read(back, 0)) < probeBytes || !back.equals(bytes))
        return { ok: false, failed, code: 'FOLDER_READ_DIFFERS' };
    } finally {
      await file.close();
    }
    failed = 'delete';
    await disk.remove(name);
    await syncDirectory(disk, path);
    return { ok: true };
  } catch (error) {
    return { ok: false, failed, code: folderFault(error).code };
  } finally {
    await disk.remove(name).catch(() => undefined);
  }
}
