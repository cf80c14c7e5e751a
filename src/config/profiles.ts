const mebibyte = 1024 * 1024;

export const profileNames = ['google', 'azure', 'aws'] as const;
export type ProfileName = (typeof profileNames)[number];

/** What the public documentation of a cloud service says that matters here. */
export interface Profile {
  /** Its name, for people. */
  readonly service: string;
  readonly host: RegExp;
  /** Longest request that is taken, in bytes; null: no limit. */
  readonly requestBytesMax: number | null;
  /** Kinds of sign-in that it knows. */
  readonly signIns: readonly string[];
  /** What is put into a destination where it says nothing itself. */
  readonly settings: Settings;
  /** The same for its sign-in by `oauth2`. */
  readonly oauth2: Settings;
}

type Settings = Readonly<Record<string, unknown>>;

const usual = {
  verify: 'wado-metadata',
  batch: { instancesMax: 64, bytesMax: 64 * mebibyte },
  parallel: 4,
} as const;

/**
 * That an instance is there already is said by Google with 409 or in words, by Azure with FailureReason 45070
 * (45071: being stored just now). The judge of outcomes knows all of these from any archive.
 */
export const profiles: Readonly<Record<ProfileName, Profile>> = {
  // A store request may take 30 minutes and is of any length.
  google: {
    service: 'Google Cloud Healthcare API',
    host: /^healthcare(?:\.[a-z0-9-]+\.rep)?\.googleapis\.com$/,
    requestBytesMax: null,
    signIns: ['google-service-account', 'oauth2', 'bearer'],
    settings: usual,
    oauth2: {},
  },
  azure: {
    service: 'Azure Health Data Services',
    host: /\.dicom\.azurehealthcareapis\.com$/,
    requestBytesMax: 2_000_000_000,
    signIns: ['oauth2', 'bearer'],
    settings: usual,
    oauth2: { clientAuthentication: 'post', scope: 'https://dicom.healthcareapis.azure.com/.default' },
  },
  // Reading is limited to some 50 requests a second, shared with everybody else of the account.
  aws: {
    service: 'AWS HealthImaging',
    host: /^dicom-medical-imaging\.[a-z0-9-]+\.amazonaws\.com$/,
    requestBytesMax: 1_000_000_000,
    signIns: ['aws-sigv4', 'oauth2', 'bearer'],
    settings: { ...usual, parallel: 2 },
    oauth2: {},
  },
};

/**
 * Puts the settings of profiles beneath those of a document, before it is checked: a profile is what a person
 * might have written. What is not as it should be is left as it is, for the check to find.
 */
export function fillProfiles(document: unknown): unknown {
  if (!isRecord(document) || !isRecord(document['destinations'])) return document;
  const destinations = Object.entries(document['destinations']).map(([name, entry]) => [
    name,
    fillDestination(entry),
  ]);
  return { ...document, destinations: Object.fromEntries(destinations) as Settings };
}

function fillDestination(entry: unknown): unknown {
  if (!isRecord(entry) || entry['type'] !== 'stow') return entry;
  const { profile: name, auth } = entry;
  if (typeof name !== 'string' || !Object.hasOwn(profiles, name)) return entry;
  const { settings, oauth2 } = profiles[name as ProfileName];
  const filled = beneath(settings, entry);
  return isRecord(auth) && auth['type'] === 'oauth2' ? { ...filled, auth: beneath(oauth2, auth) } : filled;
}

/** What is written, with the settings it leaves out. */
function beneath(settings: Settings, written: Settings): Settings {
  const filled: Record<string, unknown> = { ...settings, ...written };
  for (const [name, setting] of Object.entries(settings)) {
    const own = written[name];
    if (isRecord(setting) && isRecord(own)) filled[name] = beneath(setting, own);
  }
  return filled;
}

function isRecord(value: unknown): value is Settings {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
