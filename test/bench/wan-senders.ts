import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { StatusReport } from '../../src/health/status.ts';
import { part10Header } from '../../src/dicom/part10.ts';
import { type Study, writeStudy } from './study-material.ts';
import { sendStudy } from './study-sender.ts';
import { lineAddresses, type WanLink } from './wan-link.ts';
import { Gantry, gantryPorts, Orthanc, orthancPorts } from './wan-programs.ts';

/** Who sends a study over the line. */
export const senderNames = ['gantry', 'Orthanc STOW', 'storescu'] as const;
export type SenderName = (typeof senderNames)[number];

/**
 * When the time of Gantry begins: `backlog`: with the first packet, the study being on the box already, as with
 * the others; `arrival`: with the first image from the modality, on a box that waits and an archive that is known.
 */
export const beginnings = ['backlog', 'arrival'] as const;
export type Beginning = (typeof beginnings)[number];

export interface SentStudy {
  /** Until the archive has the last instance. */
  readonly storedSeconds: number;
  /** Until Gantry has proven it; null for the others, who prove nothing. */
  readonly verifiedSeconds: number | null;
  /** What went over the line from the clinic, and to it, over the bytes of the study. */
  readonly upBytesRatio: number;
  readonly downBytesRatio: number;
}

export interface Scene {
  readonly link: WanLink;
  readonly farOrthanc: Orthanc;
  readonly directory: string;
  readonly compression: string | null;
  /** After this a run has failed. */
  readonly patienceSeconds: number;
}

export async function sendBy(
  name: SenderName,
  study: Study,
  scene: Scene,
  beginning: Beginning,
): Promise<SentStudy> {
  const { farOrthanc } = scene;
  try {
    if (name === 'gantry') return await sendByGantry(study, scene, beginning);
    return name === 'storescu' ? await sendByStorescu(study, scene) : await sendByOrthanc(study, scene);
  } catch (error) {
    throw new Error(`${name}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  } finally {
    await farOrthanc.clear();
  }
}

async function sendByGantry(study: Study, scene: Scene, beginning: Beginning): Promise<SentStudy> {
  const directory = join(scene.directory, 'gantry');
  const start = () => Gantry.start(scene.link, directory, scene.compression);
  if (beginning === 'backlog') await scene.link.unplug();
  let gantry = await start();
  try {
    let startedAt: number | null = null;
    if (beginning === 'backlog') {
      await storeAt(scene.link, study);
      await gantry.stop();
      await scene.link.plugIn();
      await scene.link.mark();
      gantry = await start();
    } else {
      const up = async (): Promise<boolean> => (await archiveOf(gantry)).state === 'up';
      await until(scene, up, () => 'the archive is not known to be there');
      await sleep(idleMs);
      await scene.link.mark();
      startedAt = monotonicSeconds();
      await storeAt(scene.link, study);
    }
    const sent = await untilStored(study, scene, startedAt);
    const { instances } = sent;
    let verified = 0;
    const all = async (): Promise<boolean> => {
      ({ verified } = (await gantry.status()).totals);
      return verified >= instances;
    };
    await until(scene, all, () => `${verified} of ${instances} instances verified`);
    return { ...sent, verifiedSeconds: monotonicSeconds() - sent.startedAt };
  } finally {
    await gantry.stop();
    await scene.link.plugIn();
    await rm(directory, { recursive: true, force: true });
  }
}

/** Longer than Orthanc keeps a connection that is not used. */
const idleMs = 2500;

async function archiveOf(gantry: Gantry): Promise<StatusReport['destinations'][string]> {
  const archive = (await gantry.status()).destinations['archive'];
  if (archive === undefined) throw new Error('the gateway has no archive');
  return archive;
}

/** From a modality beside the line to the gateway. */
function storeAt({ watchAddresses }: WanLink, study: Study): Promise<void> {
  const target = { host: watchAddresses.near, port: gantryPorts.dicom, calledAeTitle: 'GANTRY' };
  return sendStudy(target, study);
}

async function sendByOrthanc(study: Study, scene: Scene): Promise<SentStudy> {
  const directory = join(scene.directory, 'near-orthanc');
  const near = await Orthanc.start(scene.link, 'near', directory);
  try {
    let name = '';
    for (const request of study.requests) {
      name = await near.take(Buffer.concat([part10Header(request), request.dataSet]));
    }
    await scene.link.mark();
    return await sentWhole(study, scene, (signal) => near.stow(name, signal));
  } finally {
    await near.stop();
    await rm(directory, { recursive: true, force: true });
  }
}

async function sendByStorescu(study: Study, scene: Scene): Promise<SentStudy> {
  const directory = join(scene.directory, 'storescu');
  const paths = await writeStudy(study, directory);
  try {
    await scene.link.mark();
    const to = ['-aet', 'BENCH', '-aec', 'ORTHANC', lineAddresses.far, String(orthancPorts.dicom)];
    const storescu = ['TCP_NODELAY=1', 'storescu', '-R', ...to, ...paths];
    return await sentWhole(study, scene, (signal) => scene.link.run('near', 'env', storescu, signal));
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/**
 * Until the archive has the study and the sender is done. Where either fails the other is ended before what it needs
 * is taken away: the first failure is the one that is shown.
 */
async function sentWhole(
  study: Study,
  scene: Scene,
  send: (signal: AbortSignal) => Promise<unknown>,
): Promise<SentStudy> {
  const over = new AbortController();
  const sending = send(over.signal);
  const storing = untilStored(study, scene, null, over.signal);
  try {
    const [sent] = await Promise.all([storing, sending]);
    return sent;
  } finally {
    over.abort();
    await Promise.allSettled([storing, sending]);
  }
}

const lookMs = 20;

/** @param startedAt when the time began, or null: with the first packet on the line */
async function untilStored(
  study: Study,
  scene: Scene,
  startedAt: number | null,
  signal?: AbortSignal,
): Promise<SentStudy & { startedAt: number; instances: number }> {
  const instances = study.requests.length;
  let stored = 0;
  const all = async (): Promise<boolean> => {
    stored = await scene.farOrthanc.instances();
    return stored >= instances;
  };
  await until(scene, all, () => `${stored} of ${instances} instances stored`, signal);
  const storedAt = monotonicSeconds();
  const { up, down } = await scene.link.report();
  const from = startedAt ?? up.first_at;
  if (from === null) throw new Error('the study came without using the line');
  return {
    storedSeconds: storedAt - from,
    verifiedSeconds: null,
    upBytesRatio: up.bytes / study.bytes,
    downBytesRatio: down.bytes / study.bytes,
    startedAt: from,
    instances,
  };
}

/** @throws Error once the patience of the scene has ended, with what it came to */
async function until(
  scene: Scene,
  holds: () => Promise<boolean>,
  cameTo: () => string,
  signal?: AbortSignal,
): Promise<void> {
  const end = performance.now() + scene.patienceSeconds * 1000;
  while (!(await holds())) {
    signal?.throwIfAborted();
    if (performance.now() > end) throw new Error(`${cameTo()} after ${scene.patienceSeconds.toFixed(0)} s`);
    await sleep(lookMs);
  }
}

/** On the clock of the machine, as the relay counts too. */
function monotonicSeconds(): number {
  return Number(process.hrtime.bigint()) / 1e9;
}
