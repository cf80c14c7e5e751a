import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { parse } from './control-parse.ts';

/** Both files are small; the answer holds a trust document and a certificate. */
const bodyBytesMax = 512 * 1024;
const answer = z.strictObject({ answer: z.string() });

/** How this box comes to belong to a fleet. */
export interface EnrolTools {
  /** @returns the request for central IT, its claim code, and the id of this box */
  request(): Promise<{ readonly file: string; readonly code: string; readonly device: string }>;
  /** @param file the answer. @throws GantryError ENROL_NONE, ENROL_ANSWER, FLEET_CERTIFICATE* */
  accept(file: string): Promise<EnrolmentAccepted>;
}

export interface EnrolmentAccepted {
  readonly fleet: string;
  /** Whether the configuration in use names a way to central IT; null where no gateway runs. */
  readonly hasWay: boolean | null;
}

/** `enroll …` at the console. @param note writes it down, durably */
export function addEnrolCalls(
  app: FastifyInstance,
  enrol: EnrolTools,
  note: (event: string, subject: string) => Promise<void>,
): void {
  app.post('/enroll/request', async () => {
    const made = await enrol.request();
    await note('ENROL_REQUESTED', made.device);
    return made;
  });
  app.post('/enroll/accept', { bodyLimit: bodyBytesMax }, async ({ body }) => {
    const accepted = await enrol.accept(parse(answer, body).answer);
    await note('ENROLLED', accepted.fleet);
    return accepted;
  });
}
