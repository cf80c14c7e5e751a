import { ConfigRejectedError } from './config/store.ts';
import { checkConfigText, formatProblems } from './config/check.ts';
import { Applier, documentSha256 } from './config/remote/apply.ts';
import { applyFailures } from './config/remote/apply-failures.ts';
import { GantryError } from './base/errors.ts';
import { confirmSeconds } from './config/remote/documents.ts';
import type { RawDocument } from './config/store.ts';
import type { Rooms, StartedRooms } from './gateway.ts';
import { createApplyPorts } from './gateway-apply.ts';
import { hasWay, type Store } from './gateway-store.ts';
import type { Web } from './gateway-web.ts';
import { redactConfig } from './health/redaction.ts';
import type { ConfigTools } from './web/config-tools.ts';

/** A local configuration that nobody has to confirm is kept once nothing is worse; that takes no longer. */
const unattendedMs = 60_000;

/** What tries configurations on the running gateway, until the stack ends it. */
export async function startApplier(
  store: Store,
  rooms: Rooms,
  web: Web,
  stack: AsyncDisposableStack,
): Promise<Applier> {
  const { configStore, remote, clock, log } = store;
  const ports = createApplyPorts(store, rooms, web);
  const applier = new Applier({ store: configStore, state: remote, ports, clock, log });
  await applier.recover();
  stack.defer(() => applier.stop());
  return applier;
}

/** What an operator can do with the configuration of the running gateway. */
export function createConfigTools(store: Store, started: () => StartedRooms): ConfigTools {
  const applier = () => started().applier;
  const { configStore, remote } = store;
  return {
    show: () => {
      const { generation, origin, onTrial, changes } = store.current;
      const { phase, confirmUntil, worse } = applier().state;
      const { enrolment, applied, waiting } = remote.value;
      return {
        generation,
        origin,
        onTrial,
        phase,
        confirmUntil,
        worse,
        overrides: changes.map((path) => path.join('.')),
        central: enrolment && {
          fleet: enrolment.fleet,
          device: enrolment.device,
          generation: applied?.generation ?? null,
          waiting: waiting?.generation ?? null,
        },
        keptOpen: started().doors.aliases.map(({ title, place }) => title ?? `port ${place?.port}`),
        document: redactConfig(configStore.document()),
      };
    },
    history: () => remote.value.history.toReversed(),
    apply: async (text, confirmWithinSeconds) => {
      if (remote.value.enrolment !== null && hasWay(store.current.config))
        throw new GantryError(applyFailures.central);
      const checked = checkConfigText(text);
      if (!checked.ok) {
        const { code, kind, message } = new ConfigRejectedError(checked.problems, true);
        throw new GantryError({
          code,
          kind,
          message,
          nextStep: formatProblems('the file', checked.problems),
        });
      }
      const { phase, confirmUntil } = await applier().begin({
        document: checked.document as RawDocument,
        config: checked.config,
        source: 'file',
        changes: [],
        sealed: {},
        sha256: documentSha256(text),
        generation: null,
        via: null,
        confirmMs: confirmWithinSeconds === null ? unattendedMs : confirmWithinSeconds * 1000,
        confirmedBy: confirmWithinSeconds === null ? null : 'operator',
      });
      return { phase, confirmUntil };
    },
    confirm: () => applier().confirm(),
    rollback: () => applier().rollback(),
    retry: () => started().agent.retry(),
    applyWaiting: () => started().agent.applyWaiting(),
    release: () => started().doors.release(),
    confirmSeconds,
  };
}
