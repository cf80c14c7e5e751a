import { join } from 'node:path';
import { ControlClient } from './control-client.ts';
import { exitCodes } from './exit-codes.ts';

/** Has the running gateway call itself, write to its spool and ask its ledger; exit code 1 where one of it fails. */
export async function selfCheck({ data }: { data: string }): Promise<void> {
  await using control = new ControlClient(join(data, 'control.sock'));
  const { ok, steps } = await control.selfCheck();
  for (const { step, ok: well, code, words } of steps) {
    console.log(
      `${step.padEnd(12)} ${well ? 'ok    ' : 'failed'} ${words}${code === null ? '' : ` (${code})`}`,
    );
  }
  if (!ok) process.exitCode = exitCodes.failed;
}
