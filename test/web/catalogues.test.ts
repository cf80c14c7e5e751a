import { expect, test } from 'vitest';
import { refusalCatalogue } from '../../src/intake/refusal-catalogue.ts';
import * as de from '../../web-ui/src/words/de.ts';
import * as en from '../../web-ui/src/words/en.ts';
import * as es from '../../web-ui/src/words/es.ts';
import * as fr from '../../web-ui/src/words/fr.ts';

type Phrase = string | Readonly<Record<string, string>>;
const others = { de, es, fr };

function forms(phrase: Phrase): string[] {
  return typeof phrase === 'string' ? [phrase] : Object.values(phrase);
}

function placeholders(phrase: Phrase): string[] {
  const names = forms(phrase).flatMap((form) =>
    [...form.matchAll(/\{(\w+)\}/g)].map((match) => match[1] ?? ''),
  );
  return [...new Set(names)].toSorted();
}

test.for(Object.entries(others))(
  '%s has every phrase, with everything that is put into it',
  ([, catalogue]) => {
    expect(Object.keys(catalogue.phrases).toSorted()).toEqual(Object.keys(en.phrases).toSorted());
    const faults = Object.entries<Phrase>(en.phrases).filter(([key, phrase]) => {
      const translated: Phrase = (catalogue.phrases as Readonly<Record<string, Phrase>>)[key] ?? '';
      const empty = forms(translated).some((form) => form.trim() === '');
      return empty || placeholders(translated).join() !== placeholders(phrase).join();
    });
    expect(faults).toEqual([]);
  },
);

test('what is said by code is said in every language, with the same things put into it', () => {
  const keys = Object.keys(de.codes).toSorted();
  expect(keys.length).toBeGreaterThan(80);
  for (const { codes } of [fr, es]) {
    expect(Object.keys(codes).toSorted()).toEqual(keys);
    const differing = keys.filter(
      (key) => placeholders(codes[key] ?? '').join() !== placeholders(de.codes[key] ?? '').join(),
    );
    expect(differing).toEqual([]);
  }
});

test('a translated refusal is one there is', () => {
  const refusals = new Set(refusalCatalogue.flatMap((section) => section.refusals.map(({ code }) => code)));
  const translated = ['CALLED_AE_TITLE', 'CALLING_AE_TITLE', 'CALLING_ADDRESS', 'NOT_DICOM', 'PEER_ABORTED'];
  for (const code of translated) {
    expect(refusals).toContain(code);
    for (const { codes } of Object.values(others)) expect(codes[`cause.${code}`]).toBeDefined();
  }
});
