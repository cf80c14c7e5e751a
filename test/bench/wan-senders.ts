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
  /** What went over the line, both ways, over the bytes of the study. */
  readonly lineBytesRatio: number;
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
      await until(scene, async () => (await archiveOf(gantry)).state === 'up');
      await sleep(idleMs);
      await scene.link.mark();
      startedAt = monotonicSeconds();
      await storeAt(scene.link, study);
    }
    const sent = await untilStored(study, scene, startedAt);
    const { instances } = sent;
    await until(scene, async () => (await gantry.status()).totals.verified >= instances);
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
    const sending = near.stow(name);
    const sent = await untilStored(study, scene, null);
    await sending;
    return sent;
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
    const sending = scene.link.run('near', 'env', ['TCP_NODELAY=1', 'storescu', '-R', ...to, ...paths]);
    const sent = await untilStored(study, scene, null);
    await sending;
    return sent;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

const lookMs = 20;

/** @param startedAt when the time began, or null: with the first packet on the line */
async function untilStored(
  study: Study,
  scene: Scene,
  startedAt: number | null,
): Promise<SentStudy & { startedAt: number; instances: number }> {
  const instances = study.requests.length;
  await until(scene, async () => (await scene.farOrthanc.instances()) >= instances);
  const storedAt = monotonicSeconds();
  const { up, down } = await scene.link.report();
  const from = startedAt ?? up.first_at;
  if (from === null) throw new Error('the study came without using the line');
  return {
    storedSeconds: storedAt - from,
    verifiedSeconds: null,
    lineBytesRatio: (up.bytes + down.bytes) / study.bytes,
    startedAt: from,
    instances,
  };
}

async function until(scene: Scene, holds: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + scene.patienceSeconds * 1000;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`nothing after ${scene.patienceSeconds} s`);
    await sleep(lookMs);
  }
}

/** On the clock of the machine, as the relay counts too. */
function monotonicSeconds(): number {
  return Number(process.hrtime.bigint()) / 1e9;
}
