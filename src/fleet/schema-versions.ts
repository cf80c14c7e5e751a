import type { ReportedState } from '../config/remote/documents.ts';
import { editDevices } from './device-file.ts';
import type { FleetFolder } from './fleet-folder.ts';

/**
 * Writes into the Device files which version of the settings each box knows by its report, so that after an update it
 * is given what it can take, and after a fall back nothing that it would refuse.
 * @returns the boxes whose file says something else now
 */
export async function followSchemaVersions(
  { directory, devices }: FleetFolder,
  reports: ReadonlyMap<string, ReportedState>,
): Promise<readonly string[]> {
  const changes = [...devices.values()].flatMap((device) => {
    const version = reports.get(device.value.id)?.config.schemaVersion;
    if (version === undefined || version === device.value.schemaVersion || device.value.retired) return [];
    return [{ device, edits: [{ path: ['schemaVersion'] as const, value: version }] }];
  });
  await editDevices(directory, changes);
  return changes.map(({ device }) => device.value.id);
}
