import { describe, expect, it } from 'vitest';
import { createLog, withoutUids } from '../../src/base/log.ts';

const uids = [
  '2.25.329800735698586629295641978511506172918',
  '1.2.840.113619.2.55.3.604688119.971.1234567890.123',
  '1.3.6.1.4.1.5962.1.1.1.1.1.20040119072730.12322',
];

function lineOf(write: (log: ReturnType<typeof createLog>) => void): string {
  const lines: string[] = [];
  write(createLog('info', { write: (line) => lines.push(line) }));
  return lines.join('');
}

describe('the log', () => {
  it.each(uids)('takes %s out of texts, wherever it stands', (uid) => {
    for (const text of [uid, `x_${uid}`, `/studies/${uid}/series`, `"${uid}"`]) {
      expect(withoutUids(text)).toContain('[uid]');
      expect(withoutUids(text)).not.toContain(uid);
    }
  });

  it('leaves addresses, versions and times alone', () => {
    const text = '10.4.1.20:11112 version 1.2.3 at 2026-11-24T03:37:53.308Z took 1.25 s';
    expect(withoutUids(text)).toBe(text);
  });

  it('scrubs fields, errors with their codes, lists, and the fields of a child', () => {
    const [uid = ''] = uids;
    const error = Object.assign(new Error(`GET /studies/${uid} failed`), { code: uid });
    const line = lineOf((log) =>
      log
        .child({ url: `/studies/${uid}` })
        .info({ error, list: [uid], deep: { a: { b: { c: { d: uid } } } } }, 'failed'),
    );
    expect(line).not.toContain(uid);
    expect(JSON.parse(line)).toMatchObject({ level: 'info', msg: 'failed', list: ['[uid]'] });
  });
});
