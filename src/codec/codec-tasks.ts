import type { CodecName, FrameFormat } from './frame-format.ts';
import type { PassThroughReason } from './pass-through.ts';
import type { ElementEncoding } from './reencode.ts';

/** What a codec worker is asked to do; `bytes` change hands. */
export type CodecTask = { readonly bytes: Uint8Array } & (
  | { readonly kind: 'encode' | 'decode'; readonly codec: CodecName; readonly format: FrameFormat }
  | {
      readonly kind: 'reencode';
      readonly from: ElementEncoding;
      readonly to: ElementEncoding;
      /** (0028,0103) of the data set. */
      readonly pixelRepresentation: number;
    }
);

export type CodecReply =
  | { readonly ok: true; readonly bytes: Uint8Array; readonly cpuMs: number }
  | {
      readonly ok: false;
      readonly reason: PassThroughReason;
      readonly otherCodecMayFit: boolean;
      readonly message: string;
    };
