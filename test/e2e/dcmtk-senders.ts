import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { CorpusFile } from './corpus-files.ts';
import type { SentFile } from './fates.ts';
import { runProgram } from './peers.ts';

/** Which option makes storescu propose a transfer syntax. */
const proposals: Readonly<Record<string, string>> = {
  '1.2.840.10008.1.2': '-xi',
  '1.2.840.10008.1.2.1': '-xe',
  '1.2.840.10008.1.2.2': '-xb',
  '1.2.840.10008.1.2.1.99': '-xd',
  '1.2.840.10008.1.2.5': '-xr',
  '1.2.840.10008.1.2.4.50': '-xy',
  '1.2.840.10008.1.2.4.51': '-xx',
  '1.2.840.10008.1.2.4.70': '-xs',
  '1.2.840.10008.1.2.4.80': '-xt',
  '1.2.840.10008.1.2.4.81': '-xu',
  '1.2.840.10008.1.2.4.90': '-xv',
  '1.2.840.10008.1.2.4.91': '-xw',
  '1.2.840.10008.1.2.4.100': '-xm',
  '1.2.840.10008.1.2.4.102': '-xn',
};

/** Statuses as storescu words them. */
const storescuWords: Readonly<Record<string, number>> = { Success: 0x0000 };

/**
 * Sends files by storescu, those of one transfer syntax in one association, so that they arrive as they are.
 * @throws Error where storescu did not send one of them, or heard something else than Success
 */
export async function storescu(port: number, files: readonly CorpusFile[]): Promise<SentFile[]> {
  const sent: SentFile[] = [];
  for (const [syntax, group] of Map.groupBy(files, ({ head }) => head.TransferSyntaxUID)) {
    const proposal = proposals[syntax];
    if (proposal === undefined) throw new Error(`storescu cannot propose ${syntax}`);
    const to = ['-aet', 'DCMTK', '-aec', 'GANTRY', '127.0.0.1', String(port)];
    const paths = group.map(({ path }) => path);
    const { stdout, stderr } = await runProgram('storescu', ['-v', '-nh', '-R', proposal, ...to, ...paths]);
    const answers = [
      ...`${stderr}${stdout}`.matchAll(/Sending file: (\S+)[^]*?Received Store Response \(([^)]*)\)/g),
    ].map(([, path, words]) => ({ path, words: words ?? '' }));
    for (const file of group) {
      const words = answers.find(({ path }) => path === file.path)?.words ?? 'not sent';
      const status = storescuWords[words];
      if (status === undefined) throw new Error(`storescu, ${file.name}: ${words}\n${stderr}`);
      sent.push({ file, status, comment: '' });
    }
  }
  return sent;
}

/** Sends files by dcmsend, never decompressed. @throws Error where dcmsend did not send one of them */
export async function dcmsend(
  port: number,
  files: readonly CorpusFile[],
  scratchDirectory: string,
): Promise<SentFile[]> {
  const report = join(scratchDirectory, 'dcmsend-report.txt');
  const to = ['-aet', 'DCMTK', '-aec', 'GANTRY', '127.0.0.1', String(port)];
  const paths = files.map(({ path }) => path);
  const { stderr } = await runProgram('dcmsend', ['-v', '-nh', '-dn', '+crf', report, ...to, ...paths]);
  const answers = [
    ...readFileSync(report, 'utf8').matchAll(/Filename\s*: (\S+)[^]*?DIMSE Status\s*: 0x([0-9a-f]{4})/g),
  ];
  rmSync(report);
  return files.map((file) => {
    const status = answers.find(([, path]) => path === file.path)?.[2];
    if (status === undefined) throw new Error(`dcmsend did not send ${file.name}:\n${stderr}`);
    return { file, status: Number.parseInt(status, 16), comment: '' };
  });
}
