const hourMs = 3_600_000;

/** Counts per sender since midnight at the site, out of counts that only grow. */
export class Today {
  readonly #day: Intl.DateTimeFormat;
  #of: string | null = null;
  #before = new Map<string, number>();
  #last = new Map<string, number>();

  constructor(timeZone: string) {
    this.#day = new Intl.DateTimeFormat('en-CA', { timeZone, dateStyle: 'short' });
  }

  /** @param received per sender since midnight, as far as it is known when the first counts come */
  begin(counts: ReadonlyMap<string, number>, received: ReadonlyMap<string, number>, now: number): void {
    this.#of = this.#day.format(now);
    this.#before = new Map([...counts].map(([name, count]) => [name, count - (received.get(name) ?? 0)]));
    this.#last = new Map(counts);
  }

  /** @returns how many of each sender's were received today */
  of(counts: ReadonlyMap<string, number>, now: number): ReadonlyMap<string, number> {
    const day = this.#day.format(now);
    if (day !== this.#of) {
      this.#of = day;
      this.#before = this.#last;
    }
    this.#last = new Map(counts);
    return new Map(
      [...counts].map(([name, count]) => [name, Math.max(0, count - (this.#before.get(name) ?? 0))]),
    );
  }
}

/** When the present day began at the site (ms since the epoch); an hour out on the days the clocks change. */
export function startOfDay(now: number, timeZone: string): number {
  const parts = new Intl.DateTimeFormat('en', {
    timeZone,
    hourCycle: 'h23',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  }).formatToParts(now);
  const of = (type: string) => Number(parts.find((part) => part.type === type)?.value ?? 0);
  const sinceMs = of('hour') * hourMs + of('minute') * 60_000 + of('second') * 1000;
  return Math.floor(now / 1000) * 1000 - sinceMs;
}
