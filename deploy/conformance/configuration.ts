import { commandFragmentsMax } from '../../src/intake/message-reader.ts';
import { defaultLineLimits } from '../../src/archive/http-line.ts';
import { blocks, bullets, code, duration, paragraph, table } from './markdown.ts';
import { type Parameter, parameters } from './parameters.ts';

export function configuration(): string {
  return blocks(
    '## 6 Configuration',
    paragraph(
      'One JSON document; `gantry check-config FILE` says what is wrong in it and what to write instead. Names below are',
      'paths in that document; `*` is a name of your choice. `deploy/gantry.schema.json` describes every setting.',
    ),
    '### 6.1 AE titles and addresses of this gateway',
    parameterTable('intake', parameters('intake')),
    '### 6.2 Modalities',
    paragraph(
      `Each entry of ${code('modalities')} is one device. A device is recognised by its AE title, upper and lower case included, and, where`,
      'addresses are given, by its address. Several devices may use one AE title from different addresses.',
    ),
    parameterTable('modalities.*', parameters('modalities', '*')),
    '### 6.3 Limits of the Storage AE',
    parameterTable('intake.limits', parameters('intake', 'limits')),
    paragraph(
      `Not configurable: a command set may come in at most ${commandFragmentsMax} fragments. Time in which the gateway itself holds a`,
      'device back (disk) counts against none of the timers.',
    ),
    '### 6.4 Destinations',
    'Sign-in, client certificate and proxy: see 8.2.',
    parameterTable('destinations.*', parameters('destinations', '*')),
    parameterTable('destinations.*.batch', parameters('destinations', '*', 'batch')),
    blocks(
      'Not configurable, for each connection to an archive:',
      bullets(
        `name look-up, connection, proxy tunnel and TLS: ${duration(defaultLineLimits.connectMs)} each`,
        `the archive takes no bytes: ${duration(defaultLineLimits.sendIdleMs)}; the request is out and no answer begins: ${duration(defaultLineLimits.answerIdleMs)}; the answer stops half-way: ${duration(defaultLineLimits.bodyIdleMs)}. There is no limit to a whole exchange.`,
        `at most ${defaultLineLimits.connectionsMax} connections`,
      ),
    ),
    '### 6.5 Store',
    parameterTable('spool', parameters('spool')),
  );
}

/** Rows of a table of settings. */
export function parameterTable(path: string, rows: readonly Parameter[]): string {
  return table(
    ['Setting', 'Default', 'Bounds', 'Meaning'],
    rows.map(({ name, preset, bounds, meaning }) => [
      code(`${path}.${name}`),
      preset === null ? '' : code(preset),
      bounds,
      meaning,
    ]),
  );
}
