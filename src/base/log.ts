import { type Logger, pino } from 'pino';

/** Structured logger. Messages are fixed words; facts go in fields; no patient data, no UID. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  /** A logger whose every line carries the given fields, e.g. `{ room: 'intake' }`. */
  child(fields: object): Log;
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

/** Anything that looks like a UID: made from a UUID (`2.25.…`), or five and more dotted numbers (four are an address). */
const uidLike = /(?<![\d.])(?:2\.25\.\d+|[0-2](?:\.\d+){4,})/g;
/** Fields are flat; what lies deeper than this is not worth its risk. */
const depthMax = 4;

/**
 * Last line of defence: fields are chosen to be PHI-free where they are logged; this removes UIDs that an
 * error text from the system or a library might carry.
 */
export function withoutUids(text: string): string {
  return text.replace(uidLike, '[uid]');
}

function scrub(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return withoutUids(value);
  if (value instanceof Error) {
    const { code } = value as { code?: unknown };
    return { name: value.name, code: scrub(code, depth + 1), message: withoutUids(value.message) };
  }
  if (value === null || typeof value !== 'object') return value;
  if (depth >= depthMax) return '[…]';
  if (Array.isArray(value)) return value.map((item) => scrub(item, depth + 1));
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, scrub(item, depth + 1)]));
}

/**
 * A pino logger writing JSON lines, `time` in ISO 8601.
 * @param sink where lines go; standard output by default
 */
export function createLog(level: LogLevel, sink: { write(line: string): void } = process.stdout): Log {
  const root = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: {
        level: (label) => ({ level: label }),

        log: (fields) => scrub(fields) as Record<string, unknown>,
      },
    },
    sink,
  );
  return scrubbing(root);
}

/** The library applies its formatters to a line's own fields only, not to those a child carries. */
function scrubbing(logger: Logger): Log {
  return {
    debug: (fields, message) => logger.debug(fields, message),
    info: (fields, message) => logger.info(fields, message),
    warn: (fields, message) => logger.warn(fields, message),
    error: (fields, message) => logger.error(fields, message),
    child: (fields) => scrubbing(logger.child(scrub(fields) as Record<string, unknown>)),
  };
}

export const silentLog: Log = createLog('silent');
