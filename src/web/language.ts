/** Languages of the page, each by its own name. */
export const languages = { en: 'English', de: 'Deutsch', fr: 'Français', es: 'Español' } as const;

export type Language = keyof typeof languages;

const languageCookie = 'gantry-language';

export function languageOf(text: string | undefined): Language | null {
  return text !== undefined && Object.hasOwn(languages, text) ? (text as Language) : null;
}

/**
 * What the reader chose on the page counts first, then what the browser asks for (RFC 9110 §12.5.4), then English.
 * @param cookies the `Cookie` header
 */
export function languageFor(
  chosen: Language | null,
  cookies: string | undefined,
  acceptLanguage: string | undefined,
): Language {
  const kept = new RegExp(`(?:^|;\\s*)${languageCookie}=(\\w+)`).exec(cookies ?? '')?.[1];
  return chosen ?? languageOf(kept) ?? accepted(acceptLanguage ?? '') ?? 'en';
}

function accepted(header: string): Language | null {
  const wishes = header
    .slice(0, 1000)
    .split(',')
    .map((wish) => {
      const [tag = '', ...parameters] = wish.trim().toLowerCase().split(';');
      const quality = parameters
        .find((one) => one.trim().startsWith('q='))
        ?.trim()
        .slice(2);
      return {
        language: languageOf(tag.split('-')[0]),
        quality: quality === undefined ? 1 : Number(quality),
      };
    })
    .filter(({ language, quality }) => language !== null && quality > 0);
  return wishes.toSorted((a, b) => b.quality - a.quality)[0]?.language ?? null;
}

/** Keeps a choice for a year, in this browser alone. */
export function keepLanguage(language: Language): string {
  return `${languageCookie}=${language}; Path=/; Max-Age=31536000; SameSite=Strict`;
}
