import { isIPv6 } from 'node:net';
import { echo } from './archive/dimse-echo.ts';
import type { IntakeDoors } from './gateway-intake.ts';
import type { Store } from './gateway-store.ts';
import { type SelfCheckReport, selfCheck } from './health/self-check.ts';
import type { IntakeListener } from './intake/listener.ts';

interface SelfCheckRooms {
  readonly listener: IntakeListener;
  readonly doors: IntakeDoors;
}

/** Does the gateway answer, as a device would find it? C-ECHO over its own port, a write to the spool, the ledger. */
export function createSelfCheck(store: Store, rooms: SelfCheckRooms): () => Promise<SelfCheckReport> {
  const { spool } = store;
  const associate = async (): Promise<string | null> => {
    const { intake } = store.current.config;
    const port = rooms.doors.port;
    if (port === null) return 'ECONNREFUSED';
    using self = rooms.listener.expectSelf();
    const names = { aeTitle: intake.aeTitle, callingAeTitle: self.aeTitle };
    const answer = await echo({ host: reachable(intake.host), port, ...names });
    return answer.ok ? null : answer.code;
  };
  return () =>
    selfCheck({
      associate,
      isFull: () => rooms.listener.isFull,
      spool: () => spool.probe(),
      ledger: () => spool.counts(),
    });
}

/** An address that reaches what listens on this one: "all addresses" is none to call. */
function reachable(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  return isIPv6(host) && /^[0:]+$/.test(host) ? '::1' : host;
}
