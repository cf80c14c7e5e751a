/* What we use of packages that come without types. */

declare module 'dcmjs/dictionary' {
  export const dictionary: Readonly<Record<string, { readonly vr?: string } | undefined>>;
}

/** What every build by Emscripten takes. */
interface EngineSettings {
  /** The engine itself; it would look for a file beside its script otherwise. */
  readonly wasmBinary: Uint8Array;
  print(line: string): void;
  printErr(line: string): void;
}

interface EngineFrame {
  readonly width: number;
  readonly height: number;
  readonly bitsPerSample: number;
  readonly componentCount: number;
}

/** An object in the engine's own memory. Views of it are valid until the next call. */
interface EngineObject {
  encode(): void;
  decode(): void;
  delete(): void;
  getFrameInfo(): EngineFrame;
}

declare module '@cornerstonejs/codec-openjph/wasmjs' {
  interface Encoder extends EngineObject {
    getDecodedBuffer(
      frame: EngineFrame & { readonly isSigned: boolean; readonly isUsingColorTransform: boolean },
    ): Uint8Array;
    getEncodedBuffer(): Uint8Array;
    setQuality(lossless: boolean, quantizationStep: number): void;
  }
  export default function load(settings: EngineSettings): Promise<{ HTJ2KEncoder: new () => Encoder }>;
}

declare module '@cornerstonejs/codec-openjpeg/decodewasmjs' {
  interface Decoder extends EngineObject {
    getEncodedBuffer(bytes: number): Uint8Array;
    getDecodedBuffer(): Uint8Array;
  }
  export default function load(settings: EngineSettings): Promise<{ J2KDecoder: new () => Decoder }>;
}

declare module '@cornerstonejs/codec-charls/wasmjs' {
  interface Encoder extends EngineObject {
    getDecodedBuffer(frame: EngineFrame): Uint8Array;
    getEncodedBuffer(): Uint8Array;
    setNearLossless(error: number): void;
    /** 0 none, 1 line, 2 sample. */
    setInterleaveMode(mode: 0 | 1 | 2): void;
  }
  interface Decoder extends EngineObject {
    getEncodedBuffer(bytes: number): Uint8Array;
    getDecodedBuffer(): Uint8Array;
  }
  export default function load(settings: EngineSettings): Promise<{
    JpegLSEncoder: new () => Encoder;
    JpegLSDecoder: new () => Decoder;
  }>;
}
