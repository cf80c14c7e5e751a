import type { phrases } from './words/en.ts';

/** Text with `{name}` in it; where it depends on a number, one for each plural form (CLDR). */
export type Phrase =
  | string
  | ({ readonly [form in Intl.LDMLPluralRule]?: string } & { readonly other: string });

export type Key = keyof typeof phrases;

/** Everything in one language. */
export interface Catalogue {
  readonly phrases: { readonly [key in Key]: (typeof phrases)[key] extends string ? string : Phrase };
  /** What the gateway says in English, by its code: `verdict.`, `do.`, `cause.`, `safe.`, `event.`. */
  readonly codes: Readonly<Record<string, Phrase>>;
}

export type Values = Readonly<Record<string, string | number | null>>;

/** Speaks one language. Numbers that are put in are written as that language writes them. */
export class Speech {
  readonly locale: string;
  readonly #catalogue: Catalogue;
  readonly #numbers: Intl.NumberFormat;
  readonly #plurals: Intl.PluralRules;

  constructor(catalogue: Catalogue, locale: string) {
    this.locale = locale;
    this.#catalogue = catalogue;
    this.#numbers = new Intl.NumberFormat(locale, { maximumFractionDigits: 0 });
    this.#plurals = new Intl.PluralRules(locale);
  }

  say(key: Key, values: Values = {}): string {
    return this.#fill(this.template(key, values), values);
  }

  /** The phrase with its `{name}`s still in it; `n` has chosen the form. */
  template(key: Key, { n }: Values = {}): string {
    return this.#form(this.#catalogue.phrases[key], n);
  }

  /** What is known under a code in this language; null where the gateway's own words have to do. */
  byCode(code: string, values: Values = {}): string | null {
    const { codes } = this.#catalogue;
    const phrase = Object.hasOwn(codes, code) ? codes[code] : undefined;
    return phrase === undefined ? null : this.#fill(this.#form(phrase, values['n']), values);
  }

  number(value: number): string {
    return this.#numbers.format(value);
  }

  #form(phrase: Phrase, n: Values[string] | undefined): string {
    if (typeof phrase === 'string') return phrase;
    return phrase[this.#plurals.select(Number(n ?? 0))] ?? phrase.other;
  }

  #fill(text: string, values: Values): string {
    return text.replace(/\{(\w+)\}/g, (_, name: string) => {
      const value = values[name] ?? '';
      return typeof value === 'number' ? this.number(value) : value;
    });
  }
}
