import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { silentLog } from '../../src/base/log.ts';
import { CommandHand, type CommandNote } from '../../src/config/remote/command-hand.ts';
import type { ReportedState } from '../../src/config/remote/documents.ts';
import { RemoteState } from '../../src/config/remote/state.ts';
import { okpJwk } from '../../src/crypto/jws.ts';
import { commandStates, orderCommands, signCommands } from '../../src/fleet/commands.ts';
import { fleetFiles, readIfThere } from '../../src/fleet/files.ts';
import { publicFileOf } from '../../src/fleet/key-file.ts';
import { draftFirstTrust, signTrust } from '../../src/fleet/trust-chain.ts';
import { bytesOf, device, fleet, issuedAtMs, signed, signingKey, trustOf } from '../fixtures/fleet-kit.ts';
import { ManualClock } from '../fixtures/manual-clock.ts';
import { fleetFolder } from './desk-folder.ts';

const [chief, helper] = [signingKey(), signingKey()];
const now = new Date(issuedAtMs);

/** A folder with one box; `chief` may command, `helper` as well where two have to. */
async function open(signatures: 1 | 2) {
  const folder = fleetFolder({
    'devices/a.yaml': `kind: Device\nid: ${device}\n`,
    'devices/b.yaml': 'kind: Device\nid: GANTRY-OLD\nretired: true\n',
  });
  const add = [
    { file: publicFileOf(okpJwk(chief)), roles: ['trust', 'config', 'redirect', 'timestamp', 'command'] },
  ];
  if (signatures === 2) add.push({ file: publicFileOf(okpJwk(helper)), roles: ['command'] });
  const threshold = { trust: 1, config: 1, redirect: 1, timestamp: 1, command: signatures };
  await draftFirstTrust(folder.path, fleet, { add, threshold } as Parameters<typeof draftFirstTrust>[2], now);
  await signTrust(folder.path, chief);
  return folder;
}

const about = { verb: 'echo', target: 'ct1', key: chief, validMinutes: 60, now } as const;

describe('at central IT', () => {
  test('a command is for boxes that are there, by a key the boxes believe', async () => {
    using folder = await open(1);
    const where = { directory: folder.path, out: folder.path };
    for (const devices of [[device, 'GANTRY-NONE'], ['GANTRY-OLD']])
      await expect(orderCommands({ ...about, ...where, devices })).rejects.toMatchObject({
        code: 'FLEET_DEVICE_UNKNOWN',
      });
    await expect(orderCommands({ ...about, ...where, devices: [device], key: helper })).rejects.toMatchObject(
      {
        code: 'FLEET_KEY_ROLE',
      },
    );
    expect(await commandStates(folder.path, new Map(), now)).toEqual([]);
    const { commands, signaturesMissing } = await orderCommands({ ...about, ...where, devices: [device] });
    expect(signaturesMissing).toBe(0);
    expect(commands).toMatchObject([{ device, verb: 'echo', target: 'ct1' }]);
  });

  test('it waits, has an answer, or is over', async () => {
    using folder = await open(1);
    const where = { directory: folder.path, out: folder.path };
    const { commands } = await orderCommands({ ...about, ...where, devices: [device] });
    const id = commands[0]?.id ?? '';
    const later = (minutes: number) => new Date(issuedAtMs + minutes * 60_000);
    const answers = (...ids: string[]) => {
      const given = ids.map((one) => ({ id: one, at: now.toISOString(), ok: false, code: 'X', text: 'no' }));
      return new Map([[device as string, { commands: given } as unknown as ReportedState]]);
    };
    const stateAt = async (minutes: number, ...ids: string[]) =>
      (await commandStates(folder.path, answers(...ids), later(minutes)))[0];
    expect(await stateAt(1, '00000000-0000-4000-8000-000000000000')).toMatchObject({ state: 'waiting' });
    expect(await stateAt(61)).toMatchObject({ state: 'expired' });
    expect(await stateAt(61, id)).toMatchObject({ state: 'failed', code: 'X', text: 'no' });
  });

  test('more keys sign it, where more have to', async () => {
    using folder = await open(2);
    const where = { directory: folder.path, out: folder.path };
    expect((await orderCommands({ ...about, ...where, devices: [device] })).signaturesMissing).toBe(1);
    expect(await signCommands(folder.path, helper, now)).toBe(1);
    const bytes = await readIfThere(join(folder.path, `${device}.command.jws`));
    expect((JSON.parse(String(bytes)) as { signatures: unknown[] }).signatures).toHaveLength(2);
    expect(await signCommands(folder.path, helper, new Date(issuedAtMs + 3_600_001))).toBe(0);
    writeFileSync(join(folder.path, fleetFiles.timestamp), '');
    expect(await commandStates(folder.path, new Map(), now)).toHaveLength(1);
  });
});

describe('on the box', () => {
  const trust = trustOf([[chief, ['command']]]);
  const facts = { fleet, device, trust, now: issuedAtMs };

  async function hand() {
    const notes: CommandNote[] = [];
    const clock = new ManualClock();
    const file = { read: async () => null, write: async () => undefined };
    const state = await RemoteState.open(file, () => undefined);
    const ports = {
      allowed: () => ['echo' as const],
      command: async () => 'It answers.',
      commandNote: async (note: CommandNote) => void notes.push(note),
    };
    return { clock, notes, state, hand: new CommandHand({ state, ports, clock, log: silentLog }) };
  }

  const command = (more: object = {}) => ({
    apiVersion: 'gantry/v1',
    kind: 'Command',
    fleet,
    device,
    id: '11111111-1111-4111-8111-111111111111',
    issuedAt: new Date(issuedAtMs).toISOString(),
    expiresAt: new Date(issuedAtMs + 60_000).toISOString(),
    verb: 'echo',
    ...more,
  });

  test('it is done once, and stands once in the record', async () => {
    const box = await hand();
    const bytes = bytesOf(await signed('gantry-command', command(), chief));
    expect(await box.hand.take(bytes, facts)).toEqual({ ok: true });
    expect(await box.hand.take(bytes, facts)).toMatchObject({ refusal: { code: 'FLEET_REPLAY' } });
    expect(box.notes).toMatchObject([{ ok: true, code: null, command: { verb: 'echo' } }]);
    expect(box.state.value.commands).toMatchObject([{ ok: true, text: 'It answers.' }]);
  });

  test('a flood of forged ones does not fill the record, and what is forged is not believed in it', async () => {
    const box = await hand();
    const stranger = signingKey();
    for (let count = 0; count < 20; count += 1) {
      const forged = await signed('gantry-command', command({ target: `n${count}` }), stranger);
      expect(await box.hand.take(bytesOf(forged), facts)).toMatchObject({ ok: false });
    }
    expect(box.notes).toEqual([{ command: null, ok: false, code: 'FLEET_SIGNATURE' }]);
    box.clock.advance(3_600_001);
    await box.hand.take(bytesOf(await signed('gantry-command', command(), stranger)), facts);
    expect(box.notes).toHaveLength(2);
  });

  test('each one that came too late stands in the record by itself', async () => {
    const box = await hand();
    const late = { ...facts, now: issuedAtMs + 60_000 };
    for (const id of ['22222222-2222-4222-8222-222222222222', '33333333-3333-4333-8333-333333333333'])
      for (let again = 0; again < 2; again += 1)
        await box.hand.take(bytesOf(await signed('gantry-command', command({ id }), chief)), late);
    expect(box.notes.map(({ code, command: one }) => [code, one?.id.slice(0, 2)])).toEqual([
      ['FLEET_EXPIRED', '22'],
      ['FLEET_EXPIRED', '33'],
    ]);
  });
});
