import type { Socket } from 'node:net';
import { duplexPair } from 'node:stream';
import { expect, test } from 'vitest';
import { intakeLimitDefaults } from '../../src/intake/options.ts';
import { type GateHost, PduGate } from '../../src/intake/pdu-gate.ts';
import { eventually } from './intake-harness.ts';
import { associateRequest, dataPdu, echoCommand, item, pdu } from './raw-client.ts';

const accept = pdu(
  2,
  Buffer.concat([Buffer.alloc(68), item(0x10, '1.2'), item(0x50, item(0x51, Buffer.alloc(4)))]),
);
const answer = dataPdu({ context: 3, command: true, last: true, bytes: Buffer.alloc(94) });

test('a peer that does not read its answers is not read from either', async () => {
  const [ours, theirs] = duplexPair();
  let commands = 0;
  const host: GateHost = {
    associationRequested: () => gate.accept([3]),
    established: () => undefined,
    ended: () => undefined,
    overstayed: () => undefined,
    held: () => undefined,
    command: () => {
      commands += 1;
      gate.write(answer);
      return undefined;
    },
    data: () => undefined,
    messageEnded: () => undefined,
  };
  const gate = new PduGate(ours as unknown as Socket, intakeLimitDefaults, host);
  gate.on('data', () => gate.write(accept)); // in the place of dcmjs-dimse
  gate.start();

  const count = 20_000;
  theirs.write(associateRequest());
  for (let sent = 0; sent < count; sent += 100)
    theirs.write(Buffer.concat(Array<Buffer>(100).fill(echoCommand())));
  await new Promise((resolve) => setImmediate(resolve));
  await new Promise((resolve) => setImmediate(resolve));
  expect(commands).toBeGreaterThan(0);
  // 64 KiB of answers at most, and the one that was one too many.
  expect(commands).toBeLessThan(1000);
  expect(ours.writableLength).toBeLessThan(100_000);

  theirs.resume();
  await eventually(() => commands >= count);
  expect(commands).toBe(count);
});
