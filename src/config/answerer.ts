import type { DestinationConfig } from './schema.ts';

/**
 * The settings of a destination that decide who answers, and as whom we ask. Under other ones it may be another
 * archive, and what the one before took says nothing. All the rest (pace, proof, trust, way there) is left out: it
 * changes nothing of what an archive takes.
 */
export function answererOf(entry: DestinationConfig): readonly unknown[] {
  if (entry.type === 'stow')
    return [entry.type, entry.url, entry.profile, entry.auth, entry.clientCertificate];
  if (entry.type === 'folder') return [entry.type, entry.path];
  const { type, host, port, aeTitle, callingAeTitle, tls } = entry;
  return [type, host, port, aeTitle, callingAeTitle, tls?.clientCertificate ?? null];
}
