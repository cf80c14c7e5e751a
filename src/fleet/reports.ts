import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { GantryError, systemErrorCode } from '../base/errors.ts';
import { type ReportedState, reportedState } from '../config/remote/documents.ts';
import { inBatches } from './batches.ts';

/** A report is far smaller; a file that is longer is none. */
const reportBytesMax = 1024 * 1024;

export interface CollectedReports {
  /** The newest report of each box. */
  readonly reports: ReadonlyMap<string, ReportedState>;
  /** Files that are no report, by path. */
  readonly unreadable: readonly string[];
}

/**
 * Reads reports as `gantry fleet collect` writes them, signatures checked: a file `DEVICE.json` each.
 * @param paths folders, or single files
 * @throws GantryError FLEET_REPORTS_UNREADABLE
 */
export async function readReports(paths: readonly string[]): Promise<CollectedReports> {
  const files = (await Promise.all(paths.map((path) => filesOf(path)))).flat();
  const reports = new Map<string, ReportedState>();
  const unreadable: string[] = [];
  const read = await inBatches(files, readReport);
  for (const [index, report] of read.entries()) {
    if (report === null) unreadable.push(files[index] ?? '');
    else if (report.seq > (reports.get(report.device)?.seq ?? 0)) reports.set(report.device, report);
  }
  return { reports, unreadable };
}

async function filesOf(path: string): Promise<string[]> {
  try {
    if (!(await stat(path)).isDirectory()) return [path];
    const names = await readdir(path);
    return names
      .filter((name) => name.endsWith('.json') && !name.startsWith('.'))
      .toSorted()
      .map((name) => join(path, name));
  } catch (cause) {
    const code = systemErrorCode(cause) ?? 'error';
    throw new GantryError(
      {
        code: 'FLEET_REPORTS_UNREADABLE',
        kind: 'permanent',
        message: `The reports cannot be read (${code}).`,
        nextStep: `Check the path ${path}; "gantry fleet collect" writes reports into a folder.`,
      },
      { cause },
    );
  }
}

async function readReport(file: string): Promise<ReportedState | null> {
  try {
    if ((await stat(file)).size > reportBytesMax) return null;
    return reportedState.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch {
    // Cut off or of another kind: counted and named, and no reason not to see the other boxes.
    return null;
  }
}
