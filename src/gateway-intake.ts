import type { Config } from './config/schema.ts';
import { clientCertificateRequired } from './gateway-tls.ts';
import type { IntakeLimits, IntakeOptions, IntakeTimers } from './intake/options.ts';

/** The configuration as intake wants it. Every limit and timer is set by the configuration, none left to a default. */
export function intakeOptions({ intake, modalities }: Config): IntakeOptions & {
  readonly limits: IntakeLimits;
  readonly timers: IntakeTimers;
} {
  const { associateWaitMs, acseMs, idleMs, rateWindowMs, rateBytesPerSecondMin, ...limits } = intake.limits;
  const timers = { associateMs: associateWaitMs, acseMs, idleMs, rateWindowMs, rateBytesPerSecondMin };
  return {
    ...intake,
    modalities,
    limits,
    timers,
    clientCertificateRequired: clientCertificateRequired(intake),
  };
}
