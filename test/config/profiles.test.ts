import { describe, expect, test } from 'vitest';
import { profileNotes } from '../../src/cli/profile-notes.ts';
import { type Config, parseConfig } from '../../src/config/schema.ts';

const mebibyte = 1024 * 1024;
const url = {
  google:
    'https://healthcare.googleapis.com/v1/projects/p/locations/l/datasets/d/dicomStores/s/dicomWeb/studies',
  azure: 'https://clinic-images.dicom.azurehealthcareapis.com/v2/studies',
  aws: 'https://dicom-medical-imaging.eu-west-1.amazonaws.com/datastore/0123/studies',
} as const;
const auth = {
  google: { type: 'google-service-account', keyFile: '/etc/gantry/key.json' },
  azure: {
    type: 'oauth2',
    tokenUrl: 'https://login.microsoftonline.com/tenant/oauth2/v2.0/token',
    clientId: 'box',
    clientSecretFile: '/etc/gantry/secret',
  },
  aws: { type: 'aws-sigv4', region: 'eu-west-1', credentialsFile: '/etc/gantry/credentials' },
} as const;
type Name = keyof typeof url;
const names = ['google', 'azure', 'aws'] as const;

function configOf(profile: Name | null, parts: object = {}): Config {
  const cloud = {
    type: 'stow',
    ...(profile && { profile, url: url[profile], auth: auth[profile] }),
    ...parts,
  };
  const parsed = parseConfig({ destinations: { cloud } });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.config;
}
const destinationOf = (...of: Parameters<typeof configOf>) => configOf(...of).destinations['cloud'];

describe('a profile', () => {
  test.each(names)('%s: its settings, and nothing to note', (name) => {
    expect(destinationOf(name)).toMatchObject({
      profile: name,
      verify: 'wado-metadata',
      batch: { instancesMax: 64, bytesMax: 64 * mebibyte },
      parallel: name === 'aws' ? 2 : 4,
    });
    expect(profileNotes(configOf(name))).toEqual([]);
  });

  test('what the document says counts more, setting by setting', () => {
    const own = { verify: 'qido', parallel: 9, batch: { instancesMax: 3 } };
    expect(destinationOf('aws', own)).toMatchObject({
      verify: 'qido',
      parallel: 9,
      batch: { instancesMax: 3, bytesMax: 64 * mebibyte },
    });
  });

  test('azure: id and secret in the form, the scope of the service; both can be set', () => {
    const scope = 'https://dicom.healthcareapis.azure.com/.default';
    expect(destinationOf('azure')).toMatchObject({ auth: { clientAuthentication: 'post', scope } });
    const own = { ...auth.azure, clientAuthentication: 'basic', scope: 'other' };
    expect(destinationOf('azure', { auth: own })).toMatchObject({ auth: own });
  });

  test('what is wrong stays wrong, and is told where it stands', () => {
    const problemsOf = (parts: object): string[] => {
      const cloud = { type: 'stow', url: url.aws, profile: 'aws', ...parts };
      const parsed = parseConfig({ destinations: { cloud } });
      return parsed.ok ? [] : parsed.problems.map(({ path }) => path);
    };
    expect(problemsOf({ profile: 'ibm' })).toEqual(['destinations.cloud.profile']);
    expect(problemsOf({ batch: null })).toEqual(['destinations.cloud.batch']);
    expect(problemsOf({ batch: { instancesMax: 0 } })).toEqual(['destinations.cloud.batch.instancesMax']);
    expect(problemsOf({ parallel: 'many' })).toEqual(['destinations.cloud.parallel']);
    expect(problemsOf({ url: 'http://archive.example/studies', auth: auth.aws })).toEqual([
      'destinations.cloud.auth',
    ]);
    for (const document of [null, [], { destinations: null }, { destinations: { cloud: 'aws' } }]) {
      expect(parseConfig(document).ok).toBe(false);
    }
  });
});

describe('notes', () => {
  test.each(names)('%s: another address, another sign-in', (name) => {
    const parts = { url: 'https://archive.example/studies', auth: { type: 'none' } };
    expect(profileNotes(configOf(name, parts))).toEqual([
      expect.stringMatching(/^destinations\.cloud\.url does not look like /),
      expect.stringMatching(/^destinations\.cloud\.auth is "none", which .* does not know: use "/),
    ]);
  });

  test.each(names)('%s: its address without the profile', (name) => {
    expect(profileNotes(configOf(null, { url: url[name] }))).toEqual([
      expect.stringContaining(`add "profile": "${name}"`),
    ]);
  });

  test('batches longer than the service takes', () => {
    const batch = { bytesMax: 2048 * mebibyte };
    expect(profileNotes(configOf('aws', { batch }))).toEqual([expect.stringContaining('1000000000 bytes')]);
    expect(profileNotes(configOf('azure', { batch }))).toEqual([expect.stringContaining('2000000000 bytes')]);
    expect(profileNotes(configOf('google', { batch }))).toEqual([]);
  });

  test("an archive of one's own has none", () => {
    expect(
      profileNotes(configOf(null, { url: 'https://dicom.azurehealthcareapis.com.example/studies' })),
    ).toEqual([]);
  });
});
