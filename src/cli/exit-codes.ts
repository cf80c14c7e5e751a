/** Exit codes: 0 ok, 1 runtime failure, 2 usage, invalid configuration or a data directory that cannot be used. */
export const exitCodes = { ok: 0, failed: 1, usage: 2 } as const;
