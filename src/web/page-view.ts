import { encodeQR } from 'qr';
import type { StatusReport } from '../health/status.ts';
import { modalityAddresses } from './hosts.ts';
import { type Language, languageFor } from './language.ts';
import type { PageView, QrCode } from './view.ts';

/** What of a request the page depends on. */
export interface PageRequest {
  readonly hostHeader: string | undefined;
  /** Of ours, by which the connection came in. */
  readonly localAddress: string | undefined;
  readonly overTls: boolean;
  /** Chosen in the address, `?lang=de`. */
  readonly language: Language | null;
  readonly cookies: string | undefined;
  readonly acceptLanguage: string | undefined;
}

/** @param intakeHost where the DICOM listener is bound */
export function pageView(report: StatusReport, intakeHost: string, request: PageRequest): PageView {
  const addresses = modalityAddresses(intakeHost, request.hostHeader, request.localAddress);
  const language = languageFor(request.language, request.cookies, request.acceptLanguage);
  const code = typeThisCode(report, addresses[0]);
  return { report, addresses, code, language, canSignIn: request.overTls };
}

let lastCode: { readonly text: string; readonly code: QrCode } | null = null;

/** What stands beside it, for a phone that is carried from the box to the modality. */
function typeThisCode({ intake, site }: StatusReport, address: string | undefined): QrCode | null {
  if (address === undefined) return null;
  const text = `${site.name}\nIP ${address}\nPort ${intake.port}\nAE ${intake.aeTitle}`;
  if (lastCode?.text !== text) lastCode = { text, code: qrCode(text) };
  return lastCode.code;
}

function qrCode(text: string): QrCode {
  const rows = encodeQR(text, 'raw', { ecc: 'low', border: 2 });
  const runs = rows.flatMap((row, y) => {
    const line = row.map((dark) => (dark ? '1' : '0')).join('');
    return [...line.matchAll(/1+/g)].map(
      ({ index, 0: { length } }) => `M${index} ${y}h${length}v1h-${length}z`,
    );
  });
  return { size: rows.length, path: runs.join('') };
}
