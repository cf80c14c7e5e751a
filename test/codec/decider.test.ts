import { describe, expect, test } from 'vitest';
import { CompressionDecider } from '../../src/codec/decider.ts';

const measured = { modality: 'CT', codec: 'htj2k', bytesIn: 1_000_000, bytesOut: 250_000 } as const;

function afterOne(measurement: { elapsedMs: number; abreast: number }): CompressionDecider {
  const decider = new CompressionDecider({ mode: 'auto', workers: 2 });
  decider.learn({ ...measured, ...measurement });
  return decider;
}

describe('what gets images to the archive sooner', () => {
  test('a slow line: compressed, by what was measured; a fast one: as received', () => {
    const decider = afterOne({ elapsedMs: 100, abreast: 1 });
    expect(decider.decide('cloud', 'CT', 'htj2k', 1_000_000)).toMatchObject({
      compress: true,
      words:
        'Compressed, the archive has it some 4.0 times sooner: the line carries 1.0 MB/s, the codec 20.0 MB/s at 4.0:1.',
    });
    expect(decider.decide('cloud', 'CT', 'htj2k', 40_000_000)).toMatchObject({ compress: false });
  });

  test('not before the line is measured', () => {
    const decision = afterOne({ elapsedMs: 100, abreast: 1 }).decide('cloud', 'CT', 'htj2k', null);
    expect(decision.compress).toBe(false);
  });

  test('an image that waited among others says as much of the codec as one alone', () => {
    const alone = afterOne({ elapsedMs: 100, abreast: 2 });
    const among = afterOne({ elapsedMs: 200, abreast: 4 });
    const words = (decider: CompressionDecider) => decider.decide('cloud', 'CT', 'htj2k', 1_000_000).words;
    expect(words(among)).toBe(words(alone));
    expect(words(among)).not.toBe(words(afterOne({ elapsedMs: 200, abreast: 1 })));
  });
});
