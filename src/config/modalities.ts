import { GantryError } from '../base/errors.ts';
import type { ConfigStore, CurrentConfig, RawDocument } from './store.ts';

/** What can be said of a modality on the page; what is left out stays as it is. */
export interface ModalityChange {
  readonly aeTitle: string;
  /** IP addresses or CIDR ranges it calls from; empty: any. */
  readonly addresses: readonly string[];
  /** Where it takes a C-ECHO, or null. */
  readonly host?: string | null;
  readonly port?: number | null;
}

/**
 * Lets a device in from now on.
 * @throws GantryError MODALITY_EXISTS, CONFIG_CHANGE_INVALID
 */
export function allowModality(
  store: ConfigStore,
  name: string,
  change: ModalityChange,
): Promise<CurrentConfig> {
  return store.change(['modalities', name], (entry) => {
    if (entry !== undefined) throw modalityExists(name);
    return change;
  });
}

/**
 * Another device in the place of one: the name, and with it the history, stays; so does all that is not given.
 * @throws GantryError MODALITY_UNKNOWN, CONFIG_CHANGE_INVALID
 */
export function replaceModality(
  store: ConfigStore,
  name: string,
  change: ModalityChange,
): Promise<CurrentConfig> {
  return store.change(['modalities', name], (entry) => {
    if (entry === undefined) throw modalityUnknown(name, Object.keys(store.current().config.modalities));
    return { ...(entry as RawDocument), ...change };
  });
}

function modalityExists(name: string): GantryError {
  return new GantryError({
    code: 'MODALITY_EXISTS',
    kind: 'permanent',
    message: `There is a modality "${name}" already.`,
    nextStep: 'Choose another name, or replace that modality: its history stays with the name.',
  });
}

/** Also thrown where a modality is to be tested that is none. */
export function modalityUnknown(name: string, names: readonly string[]): GantryError {
  return new GantryError({
    code: 'MODALITY_UNKNOWN',
    kind: 'permanent',
    message: `There is no modality "${name}".`,
    nextStep: `Give one of these: ${names.map((one) => `"${one}"`).join(', ') || 'none is configured yet'}.`,
  });
}
