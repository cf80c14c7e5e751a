import type { TargetName } from './targets.ts';

/** Inputs that the fuzzer found worth keeping: those that showed a fault once, by what it was; in base64. */
export const found: Partial<Record<TargetName, Readonly<Record<string, string>>>> = {};
