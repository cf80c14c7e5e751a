import type { FailureText, Reason } from '../base/errors.ts';

/**
 * Why the spool takes nothing and what to do about it, by its code. The spool says the cause itself, sometimes
 * more precisely; what to do at the device and the box is for intake to say.
 */
export const spoolRefusals = {
  opening: {
    code: 'SPOOL_OPENING',
    message: 'The gateway has just started and is still looking through what it holds.',
    nextStep: 'Nothing needs to be done: it takes images in a moment, and the device will try again.',
  },
  full: {
    code: 'SPOOL_DISK_FULL',
    message: 'The disk is full up to its reserve; nothing that waits is deleted.',
    nextStep:
      'Bring the connection to the archive back, so that images can leave this box, or give it a larger disk; then send again.',
  },
  missing: {
    code: 'SPOOL_VOLUME_MISSING',
    message: 'The disk for images is missing, or another one is in its place.',
    nextStep: 'Check that the disk for images is connected and mounted; then send again.',
  },
  suspect: {
    code: 'SPOOL_SUSPECT',
    message: 'The disk failed to keep what was written; receiving stops until it passes a test.',
    nextStep: 'Call IT: the disk must be checked. Leave the box switched on; send again once it receives.',
  },
  io: {
    code: 'SPOOL_IO',
    message: 'The disk failed while the object was being written; nothing of it was kept.',
    nextStep: 'Call IT: the disk must be checked. The device keeps the object and sends it again.',
  },
} as const satisfies Record<string, Omit<FailureText, 'kind'>>;

const nextSteps: ReadonlyMap<string, string> = new Map(
  Object.values(spoolRefusals).map(({ code, nextStep }) => [code, nextStep]),
);

/** The refusal for a closed spool, or for an error of it: its own words, and what to do. */
export function spoolRefusal({ code, words }: Reason): Omit<FailureText, 'kind'> {
  const nextStep = nextSteps.get(code) ?? "See the gateway's disk on its page; the device will try again.";
  return { code, message: words, nextStep };
}
