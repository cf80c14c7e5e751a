import { constants, setPriority } from 'node:os';
import { type MessagePort, parentPort } from 'node:worker_threads';
import type { CodecReply, CodecTask } from './codec-tasks.ts';
import { decodeFrame, encodeFrame } from './engines.ts';
import { PassThrough, type PassThroughReason, passThroughReasons } from './pass-through.ts';
import { NotReencodable, reencode } from './reencode.ts';

/* One thread of the codec: one task at a time, each answered by one reply. */

async function carryOut(task: CodecTask): Promise<Uint8Array> {
  if (task.kind !== 'reencode') {
    const carry = task.kind === 'encode' ? encodeFrame : decodeFrame;
    return carry(task.codec, task.format, task.bytes);
  }
  const { bytes, from, to, pixelRepresentation } = task;
  const whole = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (from !== 'implicit-le') return reencode(whole, from, to);
  const { vrOf } = await import('./vr-dictionary.ts');
  return reencode(whole, from, to, (tag) => vrOf(tag, pixelRepresentation));
}

function failed(error: unknown): CodecReply {
  const message = error instanceof Error ? `${error.name}: ${error.message}` : `engine: ${String(error)}`;
  const { reason, otherCodecMayFit } = reasonOf(error);
  return { ok: false, reason, otherCodecMayFit, message };
}

function reasonOf(error: unknown): { reason: PassThroughReason; otherCodecMayFit: boolean } {
  if (error instanceof PassThrough) {
    const names = Object.keys(passThroughReasons) as PassThroughReason[];
    const reason = names.find((name) => passThroughReasons[name].code === error.reason.code) ?? 'engine';
    return { reason, otherCodecMayFit: error.otherCodecMayFit };
  }
  if (error instanceof NotReencodable) {
    const reason = error.because === 'group-length' ? 'groupLength' : 'structure';
    return { reason, otherCodecMayFit: false };
  }
  return { reason: 'engine', otherCodecMayFit: true };
}

async function answer(port: MessagePort, task: CodecTask): Promise<void> {
  const startedAt = performance.now();
  let reply: CodecReply;
  try {
    const bytes = await carryOut(task);
    reply = { ok: true, bytes, cpuMs: performance.now() - startedAt };
  } catch (error) {
    reply = failed(error);
  }
  port.postMessage(reply);
}

if (parentPort !== null) {
  // Of this thread alone, on Linux (setpriority(2), "C library/kernel differences"): whoever sends an image waits
  // for the other threads. Where it cannot be had, the codec works as any other.
  try {
    setPriority(0, constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {}
  const port = parentPort;
  port.on('message', (task: CodecTask) => void answer(port, task));
}
