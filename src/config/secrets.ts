import { secretNameOf } from '../base/sealed-secrets.ts';
import { pathText } from './problems.ts';

/** A setting that names a secret which central IT sends sealed. */
export interface SecretReference {
  readonly name: string;
  readonly path: readonly (string | number)[];
}

/** Sealed secrets by name: compact JWE (RFC 7516) to the sealing key of one box. */
export type SealedByName = Readonly<Record<string, string>>;

/** Every setting of a document, or of a part of one, that says "secret:NAME" in the place of a file. */
export function secretReferences(document: unknown): SecretReference[] {
  const found: SecretReference[] = [];
  const walk = (value: unknown, path: readonly (string | number)[]): void => {
    if (Array.isArray(value)) value.forEach((item, index) => walk(item, [...path, index]));
    else if (typeof value === 'object' && value !== null)
      for (const [key, child] of Object.entries(value)) walk(child, [...path, key]);
    else if (typeof value === 'string' && String(path.at(-1)).endsWith('File')) {
      const name = secretNameOf(value);
      if (name !== null) found.push({ name, path });
    }
  };
  walk(document, []);
  return found;
}

/** Of the sealed secrets, those that a document, or a part of one, names. */
export function sealedFor(document: unknown, sealed: SealedByName): SealedByName {
  const names = new Set(secretReferences(document).map(({ name }) => name));
  return Object.fromEntries(Object.entries(sealed).filter(([name]) => names.has(name)));
}

/** A file that is given on the box itself brings no sealed secrets. */
export function localSecretProblems(document: unknown) {
  return secretReferences(document).map(({ path }) => ({
    path: pathText(path),
    cause: 'names a sealed secret, which only a configuration of central IT brings',
    suggestion: 'Write the full path of a file on this box that holds it.',
  }));
}
