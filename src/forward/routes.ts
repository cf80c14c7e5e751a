/** What a route looks at; each condition given must be met, by any of its values. */
export interface RouteConditions {
  readonly callingAeTitles?: readonly string[] | undefined;
  /** Configured names. */
  readonly modalities?: readonly string[] | undefined;
  /** Modality (0008,0060). */
  readonly modalityCodes?: readonly string[] | undefined;
  readonly sopClasses?: readonly string[] | undefined;
  /** Institution Name (0008,0080). */
  readonly institutions?: readonly string[] | undefined;
  readonly days?: readonly string[] | undefined;
  readonly hours?: { readonly from: string; readonly until: string } | undefined;
}

export interface Route extends RouteConditions {
  readonly to: readonly string[];
}

/** Where instances go, as configured: `{ default: { to: ['cloud'] }, ct: { modalityCodes: ['CT'], to: ['pacs'] } }`. */
export type Routes = Readonly<Record<string, Route>>;

/** What is known of an instance when it is received. */
export interface RoutedInstance {
  readonly callingAeTitle: string;
  readonly modalityName: string | null;
  readonly Modality: string | null;
  readonly SOPClassUID: string;
  /** A character a byte, as the header peek gives it. */
  readonly InstitutionName?: string | null;
}

const minutesPerHour = 60;

/**
 * Decides where instances go. Every route that matches adds its destinations; `default` counts only where none does,
 * and without one an instance goes to all of them: never nowhere. Decided once at admission and frozen in the sealed
 * trailer: a later change of the configuration never re-routes what was already acknowledged.
 */
export class Router {
  readonly #named: readonly Route[];
  readonly #otherwise: readonly string[];
  readonly #clock: Intl.DateTimeFormat;
  readonly #looksAtTime: boolean;

  /** @param configured every destination's name */
  constructor(routes: Routes, configured: readonly string[], timeZone: string) {
    const { default: otherwise, ...named } = routes;
    this.#named = Object.values(named);
    this.#otherwise = Object.freeze([...new Set(otherwise?.to ?? configured)]);
    this.#looksAtTime = this.#named.some(({ days, hours }) => days !== undefined || hours !== undefined);
    const parts = {
      timeZone,
      weekday: 'short',
      hour: '2-digit',
      minute: '2-digit',
      hourCycle: 'h23',
    } as const;
    this.#clock = new Intl.DateTimeFormat('en-GB', parts);
  }

  /** @param now milliseconds since the epoch */
  destinationsOf(instance: RoutedInstance, now: number): readonly string[] {
    const moment = this.#looksAtTime ? this.#momentOf(now) : null;
    const matching = this.#named.filter((route) => matches(route, instance, moment));
    if (matching.length === 0) return this.#otherwise;
    return Object.freeze([...new Set(matching.flatMap(({ to }) => to))]);
  }

  #momentOf(now: number): Moment {
    const parts = this.#clock.formatToParts(now);
    const part = (type: string): string => parts.find((one) => one.type === type)?.value ?? '';
    return { day: part('weekday').toLowerCase(), minute: minuteOf(`${part('hour')}:${part('minute')}`) };
  }
}

interface Moment {
  /** `mon` … `sun`. */
  readonly day: string;
  /** Since midnight. */
  readonly minute: number;
}

function matches(route: Route, instance: RoutedInstance, moment: Moment | null): boolean {
  return (
    oneOf(route.callingAeTitles, instance.callingAeTitle) &&
    oneOf(route.modalities, instance.modalityName) &&
    oneOf(route.modalityCodes, instance.Modality) &&
    oneOf(route.sopClasses, instance.SOPClassUID) &&
    isInstitution(route.institutions, instance.InstitutionName ?? null) &&
    oneOf(route.days, moment?.day ?? null) &&
    isDuring(route.hours, moment)
  );
}

function oneOf(wanted: readonly string[] | undefined, value: string | null): boolean {
  return wanted === undefined || (value !== null && wanted.includes(value));
}

/** A device may write the name in UTF-8 or in Latin-1: both are known by their bytes. */
function isInstitution(wanted: readonly string[] | undefined, bytes: string | null): boolean {
  if (wanted === undefined) return true;
  if (bytes === null) return false;
  const spellings = [bytes, Buffer.from(bytes, 'latin1').toString('utf8')].map((text) => text.toLowerCase());
  return wanted.some((name) => spellings.includes(name.trim().toLowerCase()));
}

function isDuring(hours: RouteConditions['hours'], moment: Moment | null): boolean {
  if (hours === undefined) return true;
  if (moment === null) return false;
  const [from, until] = [minuteOf(hours.from), minuteOf(hours.until)];
  if (from <= until) return moment.minute >= from && moment.minute < until;
  return moment.minute >= from || moment.minute < until;
}

function minuteOf(time: string): number {
  const [hour = 0, minute = 0] = time.split(':').map(Number);
  return hour * minutesPerHour + minute;
}
