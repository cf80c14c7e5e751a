import { GantryError } from './errors.ts';

/** Secrets that came sealed with a configuration of central IT; it names each as "secret:NAME". */
export interface SealedSecrets {
  /** The secret in clear, for the one use it is asked for. @throws GantryError FLEET_SECRET_MISSING, FLEET_SECRET_UNREADABLE */
  text(name: string): Promise<string>;
}

const mark = 'secret:';

/** @returns the name in "secret:NAME"; null where the setting is the path of a file */
export function secretNameOf(place: string): string | null {
  return place.startsWith(mark) ? place.slice(mark.length) : null;
}

export function secretMissing(name: string): GantryError {
  return new GantryError({
    code: 'FLEET_SECRET_MISSING',
    kind: 'permanent',
    message: `The configuration names the secret "${name}", and no such secret came with it.`,
    nextStep: 'Give it at central IT ("gantry fleet secrets set"), render, sign and publish.',
  });
}

/** Where no configuration of central IT is in use. */
export const noSealedSecrets: SealedSecrets = {
  text: (name) => Promise.reject(secretMissing(name)),
};
