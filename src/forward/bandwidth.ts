import type { Clock } from '../base/clock.ts';
import { type WeeklyWindow, WeeklyWindows } from '../base/weekly-windows.ts';

/** `bandwidth` of a destination in the configuration. Mbit/s; null: no limit, 0: nothing is sent. */
export interface BandwidthPlan {
  readonly mbitPerSecond: number | null;
  /** The first that is open counts, before `mbitPerSecond`. */
  readonly windows: readonly (WeeklyWindow & { readonly mbitPerSecond: number | null })[];
}

/** Which limit counts just now, and why. */
export interface RateInForce {
  /** Null: no limit; 0: nothing is sent. */
  readonly mbitPerSecond: number | null;
  /** `operator`: set by a command; `window`: one of the plan is open; `setting`: what the plan says otherwise. */
  readonly because: 'operator' | 'window' | 'setting';
  /** When the plan changes next (ms since the epoch), null where it does not, or an operator has set the limit. */
  readonly until: number | null;
}

export const unlimited: BandwidthPlan = { mbitPerSecond: null, windows: [] };

const bytesPerMegabit = 1e6 / 8;
/** A jump of the wall clock is noticed after so long at most. */
const rememberedMs = 60_000;

/** The limit of one destination, by plan and by operator. */
export class Bandwidth {
  readonly #plan: BandwidthPlan;
  readonly #windows: WeeklyWindows;
  readonly #clock: Clock;
  /** Kept until it is cleared or the process ends. */
  #byOperator: { readonly mbitPerSecond: number | null } | null = null;
  #planned: { readonly rate: RateInForce; readonly from: number; readonly seenAt: number } | null = null;

  constructor(plan: BandwidthPlan, timeZone: string, clock: Clock) {
    this.#plan = plan;
    this.#windows = new WeeklyWindows(plan.windows, timeZone);
    this.#clock = clock;
  }

  inForce(): RateInForce {
    if (this.#byOperator !== null) return { ...this.#byOperator, because: 'operator', until: null };
    const now = this.#clock.now();
    const known = this.#planned;
    const fresh =
      known !== null &&
      now >= known.from &&
      now < (known.rate.until ?? Infinity) &&
      this.#clock.monotonic() - known.seenAt < rememberedMs;
    if (fresh) return known.rate;
    const rate = this.#plannedAt(now);
    this.#planned = { rate, from: now, seenAt: this.#clock.monotonic() };
    return rate;
  }

  /** Bytes a second, null for no limit. */
  bytesPerSecond(): number | null {
    const { mbitPerSecond } = this.inForce();
    return mbitPerSecond === null ? null : mbitPerSecond * bytesPerMegabit;
  }

  /** An operator's limit, before every other; null: none at all. */
  set(mbitPerSecond: number | null): void {
    this.#byOperator = { mbitPerSecond };
  }

  /** The plan counts again. */
  clear(): void {
    this.#byOperator = null;
  }

  #plannedAt(now: number): RateInForce {
    const { mbitPerSecond, windows } = this.#plan;
    const open = this.#windows.openAt(now);
    const until = this.#windows.nextChange(now);
    const window = open === null ? undefined : windows[open];
    return window === undefined
      ? { mbitPerSecond, because: 'setting', until }
      : { mbitPerSecond: window.mbitPerSecond, because: 'window', until };
  }
}
