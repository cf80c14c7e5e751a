import type { z } from 'zod';
import { GantryError } from '../base/errors.ts';

/** @throws GantryError CONTROL_BAD_COMMAND naming the first member that does not fit */
export function parse<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value ?? {});
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const where = issue === undefined || issue.path.length === 0 ? 'the command' : issue.path.join('.');
  throw badCommand(`${where}: ${issue?.message ?? 'is not valid'}`);
}

/** A command that was not given as it must be. */
export function badCommand(message: string): GantryError {
  const nextStep = 'See the help of the command (--help) for what can be given.';
  return new GantryError({ code: 'CONTROL_BAD_COMMAND', kind: 'permanent', message, nextStep });
}
