import { expect, it } from 'vitest';
import type { Spool } from '../../src/spool/spool.ts';
import type { DeliveryKey } from '../../src/spool/types.ts';
import { temporaryDirectory } from '../fixtures/data-directory.ts';
import { admit, openSpool, testInstance } from '../fixtures/open-spool.ts';

/* What a destination that was removed was to get goes to another one. */

const limits = { instancesMax: 100, bytesMax: 1e9, order: 'oldest' } as const;
const reason = { code: 'TEST', words: 'A test.' };

async function states(spool: Spool, destination: string): Promise<string[]> {
  const entries = await spool.entries({ destination }, null, 100);
  return entries.map((one) => `${one.state} ${one.reason?.code ?? '-'}`);
}

async function take(spool: Spool, destination: string): Promise<DeliveryKey[]> {
  const items = await spool.takeForward(destination, limits);
  return items.map(({ objectId }) => ({ objectId, destination }));
}

it('parked and waiting ones begin afresh there, and the old ones stay on record', async () => {
  using data = temporaryDirectory();
  const { spool, stop } = await openSpool(data.path, { destinations: ['old'] });
  await admit(spool, testInstance());
  await admit(spool, testInstance());
  await spool.flush();
  const [held] = await take(spool, 'old');
  if (held === undefined) throw new Error('nothing is due');
  await spool.settleForward([{ ...held, to: 'held', reason }]);
  await stop();
  const next = await openSpool(data.path, { destinations: ['new'] });
  expect(await next.spool.sendElsewhere({}, 'new', ['new'])).toBe(2);
  expect(await states(next.spool, 'old')).toEqual(['discarded SENT_ELSEWHERE', 'discarded SENT_ELSEWHERE']);
  expect(await states(next.spool, 'new')).toEqual(['queued -', 'queued -']);
  expect(await take(next.spool, 'new')).toHaveLength(2);
  expect((await next.spool.counts()).queue.instances).toBe(2);
  await next.stop();
});

it('what the other one has or waits for is not sent twice, and what is configured is left alone', async () => {
  using data = temporaryDirectory();
  const { spool, stop } = await openSpool(data.path, { destinations: ['old', 'new'] });
  await admit(spool, testInstance());
  await spool.flush();
  const keys = await take(spool, 'new');
  const delivered = { to: 'delivered', needsDigest: false, existed: false, warning: null } as const;
  await spool.settleForward(keys.map((key) => ({ ...key, ...delivered })));
  await spool.takeProof('new', 1);
  await spool.settleProof(keys.map((key) => ({ ...key, to: 'verified', by: 'digest' })));
  expect(await spool.sendElsewhere({}, 'new', ['old', 'new'])).toBe(0);
  expect(await spool.sendElsewhere({}, 'new', ['new'])).toBe(1);
  expect(await states(spool, 'new')).toEqual(['verified -']);
  expect((await spool.counts()).totals.verified).toBe(1);
  await stop();
});

it('a given up delivery there is taken up again; one that is under way stays', async () => {
  using data = temporaryDirectory();
  const { spool, stop } = await openSpool(data.path, { destinations: ['old', 'new'] });
  await admit(spool, testInstance());
  await spool.flush();
  await spool.discard({ destination: 'new' });
  const [underWay] = await take(spool, 'old');
  if (underWay === undefined) throw new Error('nothing is due');
  expect(await spool.sendElsewhere({}, 'new', ['new'])).toBe(0);
  await spool.settleForward([{ ...underWay, to: 'quarantined', reason }]);
  expect(await spool.sendElsewhere({ destination: 'old' }, 'new', ['new'])).toBe(1);
  expect(await states(spool, 'new')).toEqual(['queued -']);
  await stop();
});
