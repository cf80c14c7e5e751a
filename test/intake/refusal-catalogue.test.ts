import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { rejections } from '../../src/intake/admission.ts';
import { faults } from '../../src/intake/faults.ts';
import { serviceRefusals } from '../../src/intake/negotiation.ts';
import { objectRefusals } from '../../src/intake/object-refusals.ts';
import { refusalCatalogue } from '../../src/intake/refusal-catalogue.ts';
import { refusalsFileText } from '../../src/intake/refusals-file.ts';
import { spoolRefusals } from '../../src/intake/spool-reasons.ts';
import { tlsFaults } from '../../src/intake/tls-faults.ts';
import { certificateProblems } from '../../src/intake/tls-peer.ts';

const all = refusalCatalogue.flatMap(({ refusals }) => refusals);

test('deploy/refusals.md is the present catalogue (else: npm run build:refusals)', () => {
  const file = new URL('../../deploy/refusals.md', import.meta.url);
  expect(readFileSync(file, 'utf8')).toBe(refusalsFileText());
});

test('the catalogue leaves nothing out', () => {
  const codes = [
    ...[...Object.values(rejections), ...Object.values(objectRefusals)].map(({ why }) => why),
    ...Object.values(faults),
    ...Object.values(tlsFaults),
    ...Object.values(certificateProblems),
    ...Object.values(serviceRefusals),
    ...Object.values(spoolRefusals),
  ].map(({ code }) => code);
  expect(all.map(({ code }) => code)).toEqual(expect.arrayContaining(codes));
  expect(all.length).toBeGreaterThan(70);
});

test('a code stands for one thing', () => {
  const codes = all.map(({ code }) => code);
  expect(codes.filter((code, at) => codes.indexOf(code) !== at)).toEqual([]);
});

describe.each(all)('$code', ({ code, message, nextStep, answer }) => {
  test('can be read out, understood and acted on', () => {
    expect(code).toMatch(/^[A-Z][A-Z_]{2,31}$/);
    for (const sentence of [message, nextStep]) {
      expect(sentence).toMatch(/^[A-Z].{14,158}[.]$/);
      // Nothing is filled in: no value of a peer can get into these words, and no UID stands in them.
      expect(sentence).not.toMatch(/[{}%$<>]|\d\.\d+\.\d/);
      expect(sentence).not.toMatch(/\bnull\b|\berror\b|exception/i);
    }
    expect(answer.length).toBeGreaterThan(0);
  });
});
