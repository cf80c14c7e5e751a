import type { StatusReport } from '../health/status.ts';

/** Everything the page shows. */
export interface PageView {
  readonly report: StatusReport;
  /** Addresses of this box a modality can be told, best first; empty where none is known. */
  readonly addresses: readonly string[];
}

/** Files the page needs, as URLs on this server. */
export interface PageLinks {
  readonly script: string;
  readonly styles: readonly string[];
}
