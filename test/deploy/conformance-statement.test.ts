import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parameters, presetNumber } from '../../deploy/conformance/parameters.ts';
import { statementText } from '../../deploy/conformance/statement.ts';
import { parseConfig } from '../../src/config/schema.ts';
import {
  otherSopClasses,
  retiredStorageSopClasses,
  storageSopClasses,
} from '../../src/dicom/sop-class-registry.ts';
import { verificationSopClass } from '../../src/dicom/sop-classes.ts';
import { storeStatuses } from '../../src/dicom/statuses.ts';
import { knownTransferSyntaxes } from '../../src/dicom/transfer-syntaxes.ts';
import { intakeOptions } from '../../src/gateway-intake.ts';
import { isStored } from '../../src/intake/negotiation.ts';
import { startIntake } from '../intake/intake-harness.ts';
import { acceptItems, associateRequest, ctContext, RawClient } from '../intake/raw-client.ts';

const statement = readFileSync(join(import.meta.dirname, '../../deploy/conformance-statement.md'), 'utf8');

/** The UIDs of a part of the statement, from one heading to the next. */
function uidsUnder(heading: string): string[] {
  const start = statement.indexOf(`${heading}\n`);
  expect(start, heading).toBeGreaterThan(0);
  const part = statement.slice(start + heading.length);
  const end = part.search(/\n##+ /);
  return [...part.slice(0, end < 0 ? undefined : end).matchAll(/\| `([0-9.]+)` \|/g)].map(
    ([, uid]) => uid ?? '',
  );
}

/** What the gateway, with its defaults, answers to one context: result and transfer syntax. */
async function answerTo(
  port: number,
  contexts: readonly { abstractSyntax: string; transferSyntaxes: readonly string[] }[],
): Promise<[result: number, syntax: string][]> {
  const client = await RawClient.connect(port);
  client.send(
    associateRequest({ contexts: contexts.map((context, index) => ({ ...context, id: 2 * index + 1 })) }),
  );
  const accept = await client.next();
  client.close();
  if (accept?.type !== 2) throw new Error('no association');
  return acceptItems(accept)
    .filter(({ type }) => type === 0x21)
    .map(({ content }) => [content.readUInt8(2), content.toString('latin1', 8)]);
}

test('deploy/conformance-statement.md is what the program does now (else: npm run build:conformance)', () => {
  expect(statement).toBe(statementText());
});

test('every SOP class it lists is accepted on the wire, and every one it says is refused is refused', async () => {
  const { port } = await startIntake();
  const listed = [
    ...uidsUnder('### A.1 Storage SOP classes (SCP)'),
    ...uidsUnder('### A.2 Retired Storage SOP classes (SCP)'),
  ];
  expect(listed).toHaveLength(
    Object.keys(storageSopClasses).length + Object.keys(retiredStorageSopClasses).length,
  );
  expect(listed.every((uid) => isStored(uid, 'refuse'))).toBe(true);
  const refused = uidsUnder('### A.4 SOP classes that are always refused');
  expect([...refused, verificationSopClass].toSorted()).toEqual(Object.keys(otherSopClasses).toSorted());
  for (const [uids, result] of [
    [[verificationSopClass, ...listed], 0],
    [refused, 3],
  ] as const) {
    for (let from = 0; from < uids.length; from += 128) {
      const contexts = uids
        .slice(from, from + 128)
        .map((abstractSyntax) => ({ abstractSyntax, transferSyntaxes: ctContext.transferSyntaxes }));
      const answers = await answerTo(port, contexts);
      expect(new Set(answers.map(([each]) => each))).toEqual(new Set([result]));
      expect(answers).toHaveLength(contexts.length);
    }
  }
});

test('every transfer syntax it lists is accepted on the wire', async () => {
  const { port } = await startIntake();
  const listed = uidsUnder('## Annex B: Transfer syntaxes');
  expect(listed.toSorted()).toEqual([...knownTransferSyntaxes.keys()].toSorted());
  const contexts = listed.map((uid) => ({ ...ctContext, transferSyntaxes: [uid] }));
  expect(await answerTo(port, contexts)).toEqual(listed.map((uid) => [0, uid]));
});

test('the limits it gives are those that hold where the configuration says nothing', () => {
  const parsed = parseConfig({
    destinations: { cloud: { type: 'stow', url: 'https://archive.example/studies' } },
  });
  if (!parsed.ok) throw new Error('not valid');
  const { limits, timers } = intakeOptions(parsed.config);
  const inForce: Record<string, number> = { ...limits, ...timers, associateWaitMs: timers.associateMs };
  const given = parameters('intake', 'limits').filter(({ preset }) => preset !== null);
  expect(given.length).toBeGreaterThan(10);
  for (const { name } of given) {
    expect(inForce[name], name).toBe(presetNumber('intake', 'limits', name));
  }
});

test('it names every status, and no code twice for different things', () => {
  for (const { status, when } of Object.values(storeStatuses)) {
    expect(statement).toContain(`\`${status.toString(16).toUpperCase().padStart(4, '0')}\``);
    expect(when).not.toBe('');
  }
  const failures = Object.values(storeStatuses).filter(({ status }) => status !== 0);
  expect(new Set(failures.map(({ status }) => status)).size).toBe(failures.length);
});

test('its table of contents leads somewhere', () => {
  const headings = [...statement.matchAll(/^##+ (.+)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replaceAll(/[^\w\s-]/g, '')
      .replaceAll(/\s/g, '-'),
  );
  const links = [...statement.matchAll(/\]\(#([^)]+)\)/g)].map(([, link]) => link);
  expect(links.length).toBeGreaterThan(8);
  expect(links.filter((link) => !headings.includes(link ?? ''))).toEqual([]);
});
