import { connect } from 'node:net';
import { GantryError, systemErrorCode } from '../base/errors.ts';
import { type HelperCall, helperAnswer, helperSocketPath } from './verbs.ts';

const answerBytesMax = 8192;
/** Longer than the longest verb (an update) may take. */
const answerMsMax = 35 * 60_000;

/**
 * Asks the helper for something.
 * @returns the change of the network that is to be confirmed, or null
 * @throws GantryError HELPER_AWAY where none listens, HELPER_NO_ANSWER, or the helper's own
 */
export async function askHelper(
  call: HelperCall,
  { socketPath = helperSocketPath, msMax = answerMsMax }: { socketPath?: string; msMax?: number } = {},
): Promise<{ readonly change: string | null }> {
  const line = await exchange(socketPath, `${JSON.stringify(call)}\n`, msMax);
  const answer = helperAnswer.safeParse(parseJson(line));
  if (!answer.success) throw noAnswer(undefined);
  if (!answer.data.ok) throw new GantryError(answer.data);
  return { change: answer.data.change };
}

function exchange(socketPath: string, line: string, msMax: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path: socketPath });
    let connected = false;
    let text = '';
    const timer = setTimeout(() => socket.destroy(new Error('late')), msMax);
    socket.setEncoding('utf8');
    socket.on('connect', () => {
      connected = true;
      socket.write(line);
    });
    socket.on('data', (chunk: string) => {
      text += chunk;
      if (text.length > answerBytesMax) socket.destroy(new Error('too long'));
    });
    socket.on('error', (error) => reject(connected ? noAnswer(error) : away(error)));
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(text);
    });
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function away(cause: unknown): GantryError {
  const code = systemErrorCode(cause) ?? 'no connection';
  return new GantryError(
    {
      code: 'HELPER_AWAY',
      kind: 'permanent',
      message: `The helper for the machine itself does not answer (${code}).`,
      nextStep:
        'It comes with the Debian package and the appliance: check "systemctl status gantry-helper.socket". Otherwise use the tools of the machine.',
    },
    { cause },
  );
}

function noAnswer(cause: unknown): GantryError {
  return new GantryError(
    {
      code: 'HELPER_NO_ANSWER',
      kind: 'ambiguous',
      message: 'The helper took the request and gave no answer.',
      nextStep: 'Look whether it was done before asking again.',
    },
    { cause },
  );
}
