import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { refusalCatalogue } from '../../src/intake/refusal-catalogue.ts';
import { tlsFaults } from '../../src/intake/tls-faults.ts';
import { certificateProblems } from '../../src/intake/tls-peer.ts';
import { auditEvents } from '../../web-ui/src/words/audit-events.ts';
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

test('every refusal there is, of an association, an object or a service, is said in every language', () => {
  const codes = refusalCatalogue.flatMap((section) => section.refusals.map(({ code }) => code));
  expect(codes.length).toBeGreaterThan(60);
  expect(missing(codes, ['cause', 'do'])).toEqual([]);
});

test('what a support bundle holds, and what became of a test study, is said in every language', () => {
  const parts = codesIn('gateway-bundle.ts', /'([a-z-]+\.(?:json|txt))',/g);
  expect(parts.length).toBeGreaterThan(10);
  const outcomes = ['equal', 'changed', 'no', 'refused', 'stays', 'gone'];
  expect([...missing(parts, ['bundle']), ...missing(outcomes, ['test-study'])]).toEqual([]);
});

/** What stands in quotes in a file of the source and looks like one of these codes. */
function codesIn(path: string, pattern: RegExp): string[] {
  const text = readFileSync(new URL(`../../src/${path}`, import.meta.url), 'utf8');
  return [...text.matchAll(pattern)].map((match) => match[1] ?? '');
}

function missing(codes: readonly string[], prefixes: readonly string[]): string[] {
  const keys = codes.flatMap((code) => prefixes.map((prefix) => `${prefix}.${code}`));
  return keys.filter((key) => Object.values(others).some((one) => one.codes[key] === undefined));
}

test('what comes to nothing over TLS is said in every language', () => {
  const faults = [...Object.values(tlsFaults), ...Object.values(certificateProblems)];
  expect(
    missing(
      faults.map(({ code }) => code),
      ['cause', 'do'],
    ),
  ).toEqual([]);
  const files = ['base/tls-credentials.ts', 'base/certificate-watch.ts', 'intake/tls-port.ts'];
  const codes = files.flatMap((file) => codesIn(file, /code: '(TLS_(?!PORT_INTERNAL)[A-Z_]+)'/g));
  expect(codes.length).toBeGreaterThan(5);
  expect(missing([...codes, 'WEB_HTTPS_PORT', 'CONFIG_INVALID'], ['cause', 'do'])).toEqual([]);
});

test('every verdict is said in every language', () => {
  const verdicts = ['health/verdict.ts', 'health/verdict-tls.ts'].flatMap((file) =>
    codesIn(file, /(?:degraded|down)\(\s*'([A-Z_]+)'/g),
  );
  expect(verdicts).toContain('TLS_CLOSED');
  expect(verdicts).toContain('CONFIG_REJECTED');
  expect(missing(verdicts, ['verdict'])).toEqual([]);
});

test('why somebody cannot sign in, or may not do something, is said in every language', () => {
  const files = ['access-refusals', 'access-store', 'pairing', 'sign-in-limiter', 'browser-checks'];
  const codes = files.flatMap((file) =>
    codesIn(`web/${file}.ts`, /'((?:AUTH|SIGN_IN|PAIRING|USER|ACCOUNT|ACCESS)_[A-Z_]+)'/g),
  );
  const technicianCodes = ['UNREADABLE', 'SIGNATURE', 'BOX', 'EXPIRED', 'EARLY'].map(
    (why) => `AUTH_CODE_${why}`,
  );
  // Those two are for whoever writes programs.
  const pageCodes = codes.filter((code) => code !== 'AUTH_TOKEN' && code !== 'AUTH_ORIGIN');
  expect(pageCodes.length).toBeGreaterThan(15);
  expect(missing([...pageCodes, ...technicianCodes], ['cause', 'do'])).toEqual([]);
});

test('every event of the audit log has words', () => {
  const files = [
    'access-routes',
    'access',
    'audit-log',
    'audit-routes',
    'control',
    'destination-routes',
    'modality-routes',
    'operator-routes',
    'role-refusals',
    'session-routes',
    'site-routes',
    'study-routes',
    'tool-routes',
  ];
  const pattern = /(?:audit: |event: |\?\? |#note\(|\bdone\(\s*|Infinity, |lifeMs, )'([A-Z]+(?:_[A-Z]+)*)'/g;
  const events = new Set([
    ...files.flatMap((file) => codesIn(`web/${file}.ts`, pattern)),
    ...codesIn('web/audit-message.ts', /^  ([A-Z_]+): /gm),
    ...codesIn('gateway-remote.ts', pattern),
  ]);
  expect(events.size).toBeGreaterThan(35);
  expect([...events].filter((event) => !(auditEvents as readonly string[]).includes(event))).toEqual([]);
});

test('what the tests of the line and of modalities show is said in every language', () => {
  const echo = codesIn('health/modality-echo.ts', /^  ([A-Z_]+): /gm);
  expect(echo).toContain('DIMSE_CALLED_AE');
  expect(missing(echo, ['echo', 'do.echo'])).toEqual([]);
  const line = codesIn('health/line-words.ts', /(?:failed\(\s*|code: )'([A-Z_]+)'/g).filter(
    (code) => code !== 'OK',
  );
  expect(line).toContain('GATEWAY_SILENT');
  const steps = ['link', 'gateway', 'dns', 'proxy', 'tls', 'sign-in', 'clock', 'mount', 'write'];
  const known = (code: string) =>
    Object.values(others).every(({ codes }) =>
      steps.some((step) => codes[`line.${step}.${code}`] !== undefined),
    );
  expect(line.filter((code) => !known(code))).toEqual([]);
  const ok = steps.map((step) => `${step}.OK`);
  expect(missing([...ok, 'NOT_REACHED', 'NOT_NEEDED'], ['line'])).toEqual([]);
});
