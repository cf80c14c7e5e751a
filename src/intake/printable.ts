/** Printable ASCII, everything else as `?`, clipped: what a peer calls itself, made fit to be shown. */
export function printable(text: string, charsMax: number): string {
  return text.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, charsMax);
}
