import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { mosquittoInstalled } from '../fixtures/mosquitto.ts';
import { orthancInstalled } from '../fixtures/orthanc.ts';
import { program } from '../fixtures/program.ts';

/** The DICOM files this project is tested with; not part of it. */
export const corpusDirectory = join(import.meta.dirname, '..', '..', '..', 'shared', 'corpus');

const dcmtkTools = ['echoscu', 'storescu', 'dcmsend'];
/** Packages a CI machine installs: without them it would prove nothing. */
const installable = ['DCMTK', 'Orthanc', 'Mosquitto', 'nginx'];

const peers = {
  DCMTK: () => dcmtkTools.every((tool) => spawnSync('which', [tool]).status === 0),
  Orthanc: orthancInstalled,
  Mosquitto: mosquittoInstalled,
  nginx: () => spawnSync('/usr/sbin/nginx', ['-v']).status === 0,
  'the DICOM corpus': () => existsSync(join(corpusDirectory, 'manifest.tsv')),
} as const;

/**
 * Whether the real parts a suite needs are on this machine; says so where they are not.
 * @throws Error on a CI machine (CI=true) that lacks one it could install
 */
export function present(suite: string, ...needed: (keyof typeof peers)[]): boolean {
  const missing = needed.filter((peer) => !peers[peer]());
  if (missing.length === 0) return true;
  const words = `${suite} needs ${missing.join(' and ')}`;
  const mustHave = missing.filter((peer) => installable.includes(peer));
  if (process.env['CI'] === 'true' && mustHave.length > 0) throw new Error(`${words}: install it.`);
  process.stderr.write(`SKIPPED: ${words}\n`);
  return false;
}

/** Of one test: each starts several processes, on a machine that may be busy. */
export const patienceMs = 150_000;

export interface ProgramRun {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end, with further variables in its environment. */
export async function runProgram(
  command: string,
  args: readonly string[],
  variables: Readonly<Record<string, string>> = {},
): Promise<ProgramRun> {
  // As shipped, DCMTK stalls 40 ms an object on the peer's delayed acknowledgement.
  const child = spawn(command, args, { env: { ...process.env, TCP_NODELAY: '1', ...variables } });
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (bytes: Buffer) => (output.stdout += bytes.toString()));
  child.stderr.on('data', (bytes: Buffer) => (output.stderr += bytes.toString()));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  return { code, ...output };
}

/** Runs a `gantry` command to its end. */
export function gantry(...args: string[]): Promise<ProgramRun> {
  const [command, ...before] = program();
  return runProgram(command, [...before, ...args]);
}
