import { GantryError } from '../base/errors.ts';
import type { ConfigProblem } from './problems.ts';
import { entryName } from './values.ts';

/** A name that cannot be one of an entry. */
export const unusableName: ConfigProblem = {
  path: 'the name',
  cause: 'is not a usable one',
  suggestion: `Use ${entryName.description ?? ''}.`,
};

/** A change after which the whole would not be valid. */
export function changeInvalid(problems: readonly ConfigProblem[]): GantryError {
  const [first] = problems;
  return new GantryError({
    code: 'CONFIG_CHANGE_INVALID',
    kind: 'permanent',
    message: `This cannot be set: ${first?.path ?? 'the document'} ${first?.cause ?? 'is not valid'}.`,
    nextStep: first?.suggestion || 'Correct what was entered, and try again.',
  });
}

const howToBegin = 'Start with "--config FILE"; deploy/config.example.json is a place to begin.';

/** Nothing was ever imported. */
export function configMissing(): GantryError {
  return new GantryError({
    code: 'CONFIG_MISSING',
    kind: 'permanent',
    message: 'This data directory has no configuration yet.',
    nextStep: `If no gateway ran here before: ${howToBegin} If one did, check the path given with --data.`,
  });
}

/** What is stored was written for another version. */
export function configOutdated(): GantryError {
  return new GantryError({
    code: 'CONFIG_OUTDATED',
    kind: 'permanent',
    message: 'The stored configuration is not valid for this version.',
    nextStep: howToBegin,
  });
}

/** What is stored is no configuration. */
export function damaged(): GantryError {
  return new GantryError({
    code: 'CONFIG_DAMAGED',
    kind: 'permanent',
    message: 'The stored configuration cannot be read.',
    nextStep: 'Move the "config" folder of the data directory aside and start with "--config FILE".',
  });
}
