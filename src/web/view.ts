import type { StatusReport } from '../health/status.ts';
import type { Language } from './language.ts';

/** Everything the page shows. */
export interface PageView {
  readonly report: StatusReport;
  /** Addresses of this box a modality can be told, best first; empty where none is known. */
  readonly addresses: readonly string[];
  /** What to type into the modality as a QR code; null where there is no address. */
  readonly code: QrCode | null;
  readonly language: Language;
  /** Whether this is the page over HTTPS, where people sign in. */
  readonly canSignIn: boolean;
}

/** Dark squares as one SVG path, in a square of `size` units. */
export interface QrCode {
  readonly size: number;
  readonly path: string;
}

/** Files the page needs, as URLs on this server. */
export interface PageLinks {
  readonly script: string;
  readonly styles: readonly string[];
  /** Scripts that `script` asks for at once, by language. */
  readonly words: Readonly<Partial<Record<Language, string>>>;
}
