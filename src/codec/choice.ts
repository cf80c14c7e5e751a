import type { ObjectFacts, SpoolCodec } from '../spool/types.ts';
import type { CompressionDecider } from './decider.ts';
import { type CodecName, codecSyntaxes } from './frame-format.ts';
import { PassThrough } from './pass-through.ts';
import { checkWorthATry } from './worth-a-try.ts';

/** What the choice of a codec depends on. */
export interface ChoiceParts {
  readonly decider: CompressionDecider;
  /** The codecs to use, the preferred one first. */
  readonly codecs: readonly CodecName[];
  /** See {@link SpoolCodec.accepts}. */
  readonly accepts: SpoolCodec['accepts'];
  /** What the line to a destination carries, in bytes a second; null where not measured yet. */
  readonly goodput: (destination: string) => number | null;
}

/**
 * @param remeasure whether this image is compressed although it would arrive sooner as it is, to measure anew
 * @returns the codecs to try, in order
 * @throws PassThrough where it is none for the codec, no destination takes a compressed form, or none has it sooner
 */
export function chooseCodecs(
  facts: ObjectFacts,
  { decider, codecs, accepts, goodput }: ChoiceParts,
  remeasure: () => boolean,
): readonly CodecName[] {
  if (decider.mode === 'off') throw new PassThrough('modeOff');
  checkWorthATry(facts);
  const taken = codecs.flatMap((codec) => {
    const takers = facts.destinations.filter(
      (name) => accepts(name, facts.SOPClassUID, codecSyntaxes[codec]) !== false,
    );
    return takers.length === 0 ? [] : [{ codec, takers }];
  });
  if (taken.length === 0) throw new PassThrough('noSyntax');
  const judged = taken.map(({ codec, takers }) => ({
    codec,
    decisions: takers.map((name) => decider.decide(name, facts.Modality, codec, goodput(name))),
  }));
  const sooner = judged.filter(({ decisions }) => decisions.some(({ compress }) => compress));
  if (sooner.length > 0) return sooner.map(({ codec }) => codec);
  const close = judged.filter(({ decisions }) => decisions.some((one) => one.close));
  if (close.length === 0 || !remeasure()) throw new PassThrough('noGainOnLine');
  return close.map(({ codec }) => codec);
}
