import type { Language } from '../../src/web/language.ts';
import type { StatusReport } from '../../src/health/status.ts';
import type { Frame } from './format.ts';
import { type Catalogue, Speech } from './speech.ts';

/** How often the page reloads itself where no script runs. */
export const refreshSeconds = 15;

/** English of the kind that writes the day before the month. */
const locales: Readonly<Record<Language, string>> = { en: 'en-GB', de: 'de-DE', fr: 'fr-FR', es: 'es-ES' };

export function speechOf(language: Language, catalogue: Catalogue): Speech {
  return new Speech(catalogue, locales[language]);
}

export function frameOf({ site }: StatusReport, speech: Speech, now: number): Frame {
  return { now, timeZone: site.timeZone, speech };
}
