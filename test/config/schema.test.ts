import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseAddressRange, rangesOverlap } from '../../src/config/addresses.ts';
import { checkConfigText, formatProblems } from '../../src/config/check.ts';
import { type Config, configJsonSchema, parseConfig } from '../../src/config/schema.ts';
import { schemaFileText } from '../../src/config/schema-file.ts';
import { intakeOptions } from '../../src/gateway-intake.ts';
import { intakeLimitDefaults, intakeTimerDefaults } from '../../src/intake/options.ts';

const cloud = { type: 'stow', url: 'https://archive.example/dicom-web/studies' };

/** A document with one destination and whatever else is given. */
function withCloud(parts: object): unknown {
  return { destinations: { cloud }, ...parts };
}

function accepted(json: unknown): Config {
  const result = parseConfig(json);
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  return result.config;
}

function problemsOf(json: unknown) {
  const result = parseConfig(json);
  return result.ok ? [] : result.problems;
}

describe('defaults', () => {
  test('one destination is enough', () => {
    const config = accepted(withCloud({}));
    expect(config.intake).toMatchObject({
      aeTitle: 'GANTRY',
      port: 11_112,
      unknownCallers: 'refuse',
      unknownSopClasses: 'accept',
      limits: { associationsMax: 64, associationsPerPeerMax: 16, idleMs: 60_000 },
    });
    expect(config.spool).toEqual({
      reserveBytes: 2_000_000_000,
      preparedBytes: 536_870_912,
      keepVerifiedHours: 72,
      purgeSchedule: '*/10 * * * *',
    });
    expect(config.destinations['cloud']).toMatchObject({
      auth: { type: 'none' },
      proxy: null,
      verify: 'wado-metadata',
      digestSample: 0.01,
      parallel: 8,
      bandwidth: { mbitPerSecond: null, windows: [] },
      http2: false,
    });
    expect(config.routes.default.to).toEqual(['cloud']);
    expect(config.web.port).toBe(8080);
  });

  test('without a route images go to every destination; with one, only where it says', () => {
    const destinations = { a: cloud, b: cloud };
    expect(accepted({ destinations }).routes.default.to).toEqual(['a', 'b']);
    expect(accepted({ destinations, routes: { default: { to: ['b'] } } }).routes.default.to).toEqual(['b']);
  });

  test('a modality settles after 30 s and may call from anywhere', () => {
    const { modalities } = accepted(withCloud({ modalities: { ct1: { aeTitle: ' CT1 ' } } }));
    expect(modalities['ct1']).toEqual({
      aeTitle: 'CT1',
      addresses: [],
      certificate: null,
      host: null,
      port: null,
      priority: 'routine',
      settleSeconds: 30,
    });
  });
});

/** One below the least and one above the most that each limit may be. */
function limitBounds(): Record<string, [below: number, above: number]> {
  const intake = configJsonSchema().properties?.['intake'] as ReturnType<typeof configJsonSchema>;
  const limits = intake.properties?.['limits'] as ReturnType<typeof configJsonSchema>;
  return Object.fromEntries(
    Object.entries(limits.properties ?? {}).map(([name, part]) => {
      const { minimum = Number.NaN, maximum = Number.NaN } = part as { minimum?: number; maximum?: number };
      return [name, [minimum - 1, maximum + 1]];
    }),
  );
}

describe('limits of the way in', () => {
  test('where nothing is given, they are what intake itself would take', () => {
    const { limits, timers } = intakeOptions(accepted(withCloud({})));
    expect(limits).toEqual(intakeLimitDefaults);
    expect(timers).toEqual(intakeTimerDefaults);
  });

  test('each one that is given gets to intake', () => {
    const given = Object.fromEntries(
      Object.entries(limitBounds()).map(([name, [, above]], at) => [name, above - 2 - at]),
    );
    // The parts may not be more than their wholes.
    const sound = { ...given, associationsPerPeerMax: 7, idleConnectionsPerPeerMax: 8 };
    const { limits, timers } = intakeOptions(accepted(withCloud({ intake: { limits: sound } })));
    const { associateMs: associateWaitMs, ...others } = timers;
    expect({ ...limits, ...others, associateWaitMs }).toEqual(sound);
    expect(Object.keys(sound)).toHaveLength(19);
  });

  test.each(Object.entries(limitBounds()))('%s has bounds at both ends', (name, outside) => {
    for (const [value, cause] of [
      [outside[0], /too small/],
      [outside[1], /too large/],
    ] as const) {
      const [problem] = problemsOf(withCloud({ intake: { limits: { [name]: value } } }));
      expect(problem?.path).toBe(`intake.limits.${name}`);
      expect(problem?.cause).toMatch(cause);
      expect(problem?.suggestion).toMatch(/from \d+ to \d+/);
    }
  });

  test('a smaller house has smaller shares, without a word about them', () => {
    const { intake } = accepted(
      withCloud({ intake: { limits: { associationsMax: 4, idleConnectionsMax: 3 } } }),
    );
    expect(intake.limits).toMatchObject({ associationsPerPeerMax: 4, idleConnectionsPerPeerMax: 3 });
  });

  test.each([2, 3, 63, 64, 1000])('of %i connections, handshakes leave some to the others', (most) => {
    const { intake } = accepted(withCloud({ intake: { limits: { idleConnectionsMax: most } } }));
    expect(intake.limits.handshakesMax).toBe(Math.min(32, Math.floor(most / 2)));
  });
});

describe('problems say where, why and what instead', () => {
  const destination = (parts: object) => ({ destinations: { cloud: { ...cloud, ...parts } } });
  const modalities = (entries: object) => withCloud({ modalities: entries });
  test.each<[name: string, document: unknown, path: string, cause: RegExp, suggestion: RegExp]>([
    ['no destination', { destinations: {} }, 'destinations', /no image could be sent/, /Add one archive/],
    ['destinations left out', {}, 'destinations', /is missing/, /Add an object/],
    ['a misspelt section', withCloud({ modalitys: {} }), 'modalitys', /not a known/, /"modalities"/],
    [
      'a misspelt setting',
      destination({ digestsample: 1 }),
      'destinations.cloud.digestsample',
      /not a known/,
      /"digestSample"/,
    ],
    [
      'a later section',
      withCloud({ network: { dns: {} } }),
      'network.dns',
      /not supported by this version/,
      /./,
    ],
    [
      'another destination type',
      { destinations: { a: { type: 'ftp' } } },
      'destinations.a.type',
      /not one of the possible values/,
      /"stow", "dimse", "folder"/,
    ],
    [
      'a PACS without its AE title',
      { destinations: { a: { type: 'dimse', host: '10.4.1.9' } } },
      'destinations.a.aeTitle',
      /is missing/,
      /AE title of the PACS/,
    ],
    [
      'a layout that leaves the folder',
      { destinations: { a: { type: 'folder', path: '/mnt/nas', layout: '../{instance}.dcm' } } },
      'destinations.a.layout',
      /no safe name/,
      /letters, digits/,
    ],
    [
      'a layout with a word of no meaning',
      { destinations: { a: { type: 'folder', path: '/mnt/nas', layout: '{patient}/{instance}' } } },
      'destinations.a.layout',
      /uses \{patient\}/,
      /\{study\}/,
    ],
    [
      'a layout that gives all images one name',
      { destinations: { a: { type: 'folder', path: '/mnt/nas', layout: '{instance}/image.dcm' } } },
      'destinations.a.layout',
      /same file name/,
      /\{instance\}/,
    ],
    [
      'a route to a destination with a slip',
      withCloud({ routes: { ct: { modalityCodes: ['CT'], to: ['clod'] } } }),
      'routes.ct.to[0]',
      /does not exist/,
      /Did you mean "cloud"/,
    ],
    [
      'a route by a device that is not there',
      withCloud({
        modalities: { ct1: { aeTitle: 'CT1' } },
        routes: { a: { modalities: ['ct2'], to: ['cloud'] } },
      }),
      'routes.a.modalities[0]',
      /does not exist/,
      /Did you mean "ct1"/,
    ],
    [
      'a route without a condition',
      withCloud({ routes: { all: { to: ['cloud'] } } }),
      'routes.all',
      /no condition/,
      /"default"/,
    ],
    [
      'a route at no time of day',
      withCloud({ routes: { a: { hours: { from: '8:00', until: '18:00' }, to: ['cloud'] } } }),
      'routes.a.hours.from',
      /not a time of day/,
      /"08:00"/,
    ],
    [
      'a space in a URL',
      destination({ url: 'https://a.example/dicom web/studies' }),
      'destinations.cloud.url',
      /has a space/,
      /"%20"/,
    ],
    [
      'a space in the host of a URL',
      destination({ url: 'https://a.example /studies' }),
      'destinations.cloud.url',
      /has a space/,
      /Take it out/,
    ],
    [
      'a URL without /studies',
      destination({ url: 'https://a.example/dicom-web/' }),
      'destinations.cloud.url',
      /does not end/,
      /"https:\/\/a.example\/dicom-web\/studies"/,
    ],
    [
      'a URL that is none',
      destination({ url: 'archive' }),
      'destinations.cloud.url',
      /not an http/,
      /in full/,
    ],
    [
      'a password in a URL',
      destination({ url: 'https://u:secret@a.example/studies' }),
      'destinations.cloud.url',
      /user or password/,
      /passwordFile/,
    ],
    [
      'a password in the document',
      destination({ auth: { type: 'basic', user: 'u', passwordFile: '/p', password: 'secret' } }),
      'destinations.cloud.auth.password',
      /not a known/,
      /"passwordFile"/,
    ],
    [
      'a token endpoint without TLS',
      destination({
        auth: { type: 'oauth2', tokenUrl: 'http://login.example/t', clientId: 'c', clientSecretFile: '/s' },
      }),
      'destinations.cloud.auth.tokenUrl',
      /unencrypted/,
      /https/,
    ],
    [
      'a client certificate over http',
      destination({ url: 'http://a/studies', clientCertificate: { certFile: '/c', keyFile: '/k' } }),
      'destinations.cloud.clientCertificate',
      /plain http/,
      /https/,
    ],
    [
      'a relative path',
      destination({ caFile: 'ca.pem' }),
      'destinations.cloud.caFile',
      /absolute/,
      /starting with "\/"/,
    ],
    [
      'half a proxy sign-in',
      destination({ proxy: { url: 'http://p:3128', user: 'u' } }),
      'destinations.cloud.proxy',
      /only one/,
      /both/,
    ],
    [
      'a share above 1',
      destination({ digestSample: 2 }),
      'destinations.cloud.digestSample',
      /too large/,
      /from 0 to 1/,
    ],
    [
      'a wrong type',
      destination({ parallel: '4' }),
      'destinations.cloud.parallel',
      /whole number, not a text/,
      /Requests/,
    ],
    [
      'a misspelt choice',
      destination({ verify: 'wado-metdata' }),
      'destinations.cloud.verify',
      /possible values/,
      /"wado-metadata"/,
    ],
    [
      'an unusable name',
      { destinations: { 'my cloud': cloud } },
      'destinations.my cloud',
      /not a usable name/,
      /letters/,
    ],
    [
      'a route to nowhere',
      withCloud({ routes: { default: { to: ['clod'] } } }),
      'routes.default.to[0]',
      /does not exist/,
      /cloud/,
    ],
    [
      'a route to an inherited name',
      withCloud({ routes: { default: { to: ['constructor'] } } }),
      'routes.default.to[0]',
      /does not exist/,
      /cloud/,
    ],
    [
      'a long AE title',
      modalities({ ct1: { aeTitle: 'SEVENTEEN LETTERS' } }),
      'modalities.ct1.aeTitle',
      /AE title/,
      /1 to 16/,
    ],
    [
      'a bad range',
      modalities({ ct1: { aeTitle: 'A', addresses: ['10.4.1.0/33'] } }),
      'modalities.ct1.addresses[0]',
      /range/,
      /10\.4\.1\.0\/24/,
    ],
    [
      'an unknown time zone',
      withCloud({ site: { timeZone: 'Europe/Berln' } }),
      'site.timeZone',
      /time zone/,
      /IANA/,
    ],
    [
      'a bad schedule',
      withCloud({ spool: { purgeSchedule: 'nightly' } }),
      'spool.purgeSchedule',
      /schedule/,
      /cron/,
    ],
    ['one port twice', withCloud({ web: { port: 11_112 } }), 'web.port', /same port/, /own port/],
    [
      'a limit out of bounds',
      withCloud({ intake: { limits: { associationsMax: 0 } } }),
      'intake.limits.associationsMax',
      /too small/,
      /from 1 to/,
    ],
    [
      'more associations from one address than in all',
      withCloud({ intake: { limits: { associationsMax: 8, associationsPerPeerMax: 9 } } }),
      'intake.limits.associationsPerPeerMax',
      /more than "associationsMax", which is 8/,
      /Lower it/,
    ],
    [
      'more connections from one address than in all',
      withCloud({ intake: { limits: { idleConnectionsPerPeerMax: 65 } } }),
      'intake.limits.idleConnectionsPerPeerMax',
      /more than "idleConnectionsMax", which is 64/,
      /Lower it/,
    ],
    [
      'as many handshakes as connections',
      withCloud({ intake: { limits: { handshakesMax: 64 } } }),
      'intake.limits.handshakesMax',
      /"idleConnectionsMax" is 64/,
      /raise "idleConnectionsMax"/,
    ],
    [
      'longer PDUs asked for than taken',
      withCloud({ intake: { limits: { pduBytesMax: 131_072, pduBytesAnnounced: 262_144 } } }),
      'intake.limits.pduBytesAnnounced',
      /more than "pduBytesMax", which is 131072/,
      /raise "pduBytesMax"/,
    ],
  ])('%s', (_, document, path, cause, suggestion) => {
    const problems = problemsOf(document);
    expect(problems.map((problem) => problem.path)).toEqual([path]);
    expect(problems[0]?.cause).toMatch(cause);
    expect(problems[0]?.suggestion).toMatch(suggestion);
    expect(JSON.stringify(problems)).not.toContain('secret@');
  });

  test.each([
    [[], [], true],
    [['10.4.1.20'], [], true],
    [['10.4.1.0/24'], ['10.4.1.20'], true],
    [['10.4.1.0/24', 'fd00::/8'], ['10.4.2.0/24', 'fd12::1'], true],
    [['10.4.1.0/24'], ['10.4.2.0/24', 'fd12::1'], false],
  ])('same AE title from %j and %j is ambiguous: %s', (a, b, ambiguous) => {
    const document = modalities({ a: { aeTitle: 'CT', addresses: a }, b: { aeTitle: 'CT', addresses: b } });
    expect(problemsOf(document).map(({ path }) => path)).toEqual(ambiguous ? ['modalities.b'] : []);
  });
});

/** First and last address of a range, as numbers. */
function members({ ip: parts, bits }: { ip: number[]; bits: number }) {
  const value = parts.reduce((sum, part) => sum * 256 + part, 0);
  const size = 2 ** (32 - bits);
  const first = value - (value % size);
  return { first, last: first + size - 1 };
}

test('ranges overlap exactly where they share an address', () => {
  const seed = 20_260_101;
  const ip = fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 4, maxLength: 4 });
  const range = fc.record({ ip, bits: fc.integer({ min: 24, max: 32 }) });
  fc.assert(
    fc.property(range, range, (a, b) => {
      const [one, other] = [a, b].map(({ ip: parts, bits }) =>
        parseAddressRange(`${parts.join('.')}/${bits}`),
      );
      const [x, y] = [members(a), members(b)];
      if (!one || !other) throw new Error('not parsed');
      expect(rangesOverlap(one, other)).toBe(x.first <= y.last && y.first <= x.last);
    }),
    { seed },
  );
});

function problemsIn(text: string) {
  const checked = checkConfigText(text);
  return checked.ok ? [] : checked.problems;
}

describe('the text of a file', () => {
  test.each<[name: string, text: string, line: number, column: number, suggestion: RegExp]>([
    ['a comma too many', '{\n  "web": {},\n}', 3, 1, /Take out the comma/],
    ['a comma missing', '{\n  "web": {}\n  "site": {}\n}', 3, 3, /comma/],
    ['a comment', '{\n  // ports\n  "web": {}\n}', 2, 3, /no comments/],
    ['single quotes', "{ 'web': {} }", 1, 3, /double quotes/],
    ['an open quote', '{ "web: {} }\n', 1, 3, /not closed/],
    ['an early end', '{ "web": { "port": 1 ', 1, 21, /Close every/],
    ['depth without end', '['.repeat(100_000), 1, 33, /./],
  ])('%s: line and column', (_, text, line, column, suggestion) => {
    const [problem, ...more] = problemsIn(text);
    expect(more).toEqual([]);
    expect(problem).toMatchObject({
      line,
      column,
      path: '',
      suggestion: expect.stringMatching(suggestion) as string,
    });
    expect(problem?.cause).toMatch(/^not JSON/);
  });

  const document = JSON.stringify({ destinations: { cloud } });
  test.each<[name: string, bytes: Buffer, cause: string, suggestion: RegExp]>([
    ['nothing at all', Buffer.from(''), 'is empty', /config\.example\.json/],
    ['blank lines', Buffer.from('\uFEFF\n  \n'), 'is empty', /config\.example\.json/],
    ['UTF-16', Buffer.from(`\uFEFF${document}`, 'utf16le'), 'is not UTF-8 text', /UTF-16/],
    ['UTF-16 without a mark', Buffer.from(document, 'utf16le'), 'is not UTF-8 text', /UTF-16/],
    ['UTF-16, big-endian', Buffer.from(document, 'utf16le').swap16(), 'is not UTF-8 text', /UTF-16/],
  ])('%s', (_, bytes, cause, suggestion) => {
    expect(problemsIn(bytes.toString('utf8'))).toEqual([
      { path: '', cause, suggestion: expect.stringMatching(suggestion) as string, line: 1, column: 1 },
    ]);
  });

  test('a problem stands at its own line; what is missing, at its parent', () => {
    const text =
      '{\n  "destinations": {\n    "cloud": {\n      "type": "stow"\n    }\n  },\n  "web": { "port": -1 }\n}';
    expect(problemsIn(text)).toMatchObject([
      { path: 'destinations.cloud.url', line: 3, column: 5 },
      { path: 'web.port', line: 7, column: 12 },
    ]);
  });

  test('keys that JSON would drop without a word are problems', () => {
    const twice = `{ "destinations": { "cloud": ${JSON.stringify(cloud)} },\n "web": { "port": 1, "port": 2 } }`;
    expect(problemsIn(twice)).toMatchObject([
      { path: 'web.port', cause: 'is written twice', line: 2, column: 22 },
    ]);
    const hidden = `{ "destinations": { "cloud": ${JSON.stringify(cloud)}, "__proto__": {} } }`;
    expect(problemsIn(hidden)).toMatchObject([{ path: 'destinations.__proto__' }]);
  });

  test('every JSON text is walked without a syntax error, every other one has a place for it', () => {
    const seed = 20_260_102;
    fc.assert(
      fc.property(
        fc.json({ maxDepth: 5 }),
        fc.nat(),
        fc.constantFrom('{', '}', '[', ']', ',', ':', '"', ' ', 'x', '1', '\\'),
        (json, at, letter) => {
          expect(problemsIn(json).filter(({ cause }) => cause.startsWith('not JSON'))).toEqual([]);
          const changed = json.slice(0, at % json.length) + letter + json.slice(at % json.length);
          let valid = true;
          try {
            JSON.parse(changed);
          } catch {
            valid = false;
          }
          const faults = problemsIn(changed).filter(({ cause }) => cause.startsWith('not JSON:'));
          expect(faults).toHaveLength(valid ? 0 : 1);
        },
      ),
      { seed, numRuns: 500 },
    );
  });

  test('problems read well in a terminal', () => {
    const text =
      '{\n  "destinations": { "cloud": { "type": "stow", "url": "https://a.example/dicom-web" } }\n}';
    expect(formatProblems('gantry.json', problemsIn(text))).toBe(
      [
        'gantry.json:2:48  destinations.cloud.url',
        '  does not end in "/studies"',
        '  → Did you mean "https://a.example/dicom-web/studies"?',
      ].join('\n'),
    );
  });
});

function deploy(name: string): string {
  return readFileSync(new URL(`../../deploy/${name}`, import.meta.url), 'utf8');
}

describe('published files', () => {
  test('deploy/gantry.schema.json is the present schema (else: npm run build:schema)', () => {
    expect(deploy('gantry.schema.json')).toBe(schemaFileText());
  });

  test('deploy/config.example.json is valid', () => {
    const checked = checkConfigText(deploy('config.example.json'));
    expect(checked.ok ? [] : checked.problems).toEqual([]);
  });

  test('every setting is described', () => {
    const undescribed: string[] = [];
    const visit = (schema: ReturnType<typeof configJsonSchema>, path: string) => {
      for (const [name, part] of Object.entries(schema.properties ?? {})) {
        if (typeof part === 'boolean') continue;
        const { description, const: constant } = part;
        if (description === undefined && constant === undefined) undescribed.push(`${path}.${name}`);
        visit(part, `${path}.${name}`);
      }
      const parts = [schema.additionalProperties, ...(schema.oneOf ?? []), ...(schema.anyOf ?? [])];
      for (const part of parts) if (typeof part === 'object') visit(part, `${path}.*`);
    };
    visit(configJsonSchema(), '');
    expect(undescribed).toEqual([]);
  });
});
