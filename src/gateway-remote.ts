import { join } from 'node:path';
import { writeFileDurably } from './base/disk.ts';
import { GantryError } from './base/errors.ts';
import { version } from './base/version.ts';
import { Channels } from './config/remote/channels/channels.ts';
import { configSchemaVersion } from './config/schema-version.ts';
import type { Config } from './config/schema.ts';
import { type LivePart, replaceable } from './gateway-live.ts';
import { RemoteAgent } from './config/remote/agent.ts';
import type { Applier } from './config/remote/apply.ts';
import type { CommandNote } from './config/remote/command-hand.ts';
import type { FleetCommand } from './config/remote/documents.ts';
import type { BoxFacts } from './config/remote/report.ts';
import { applyWindows } from './gateway-central.ts';
import type { BoxCertificate } from './config/remote/box-certificate.ts';
import type { Rooms } from './gateway.ts';
import { readPlace } from './gateway-secrets.ts';
import type { Store } from './gateway-store.ts';
import type { Web } from './gateway-web.ts';
import type { StatusReport } from './health/status.ts';
import type { AuditedAction } from './web/audit-log.ts';

/** The hand of central IT on this box, until the stack ends it. */
export function startAgent(
  store: Store,
  rooms: Rooms,
  web: Web,
  applier: Applier,
  stack: AsyncDisposableStack,
): RemoteAgent {
  const { remote, configStore, keyring, clock, log } = store;
  const { certificate } = rooms;
  const status = () => rooms.status.report();
  const agent = new RemoteAgent({
    state: remote,
    store: configStore,
    applier,
    signingKey: keyring.signingKey,
    certificate,
    clock,
    log,
    schemaVersion: configSchemaVersion,
    ports: {
      facts: async () => factsOf(await status(), certificate),
      clockTrusted: async () => (await status()).clock.trusted !== false,
      allowed: () => allowedCommands(store),
      command: (command) => carryOut(store, rooms, command),
      commandNote: (note) => web.note(auditedCommand(note)),
      openSecret: (name, sealed) => store.secrets.open(name, sealed),
      enrolled: async () => rooms.live?.follow(store.current.config),
      inWindow: (now) => applyWindows(store.current.config).openAt(now) !== null,
    },
  });
  stack.defer(() => agent.stop());
  return agent;
}

/** The ways to central IT, as far as this box belongs to a fleet. */
export function startChannels(
  store: Store,
  rooms: Rooms,
  agent: RemoteAgent,
  stack: AsyncDisposableStack,
): Promise<LivePart> {
  const about = {
    name: 'line to central IT',
    settings: ({ remote }: Config) => [
      remote,
      agent.enrolment?.fleet,
      agent.enrolment?.device,
      store.secrets.versionsFor(remote),
    ],
  };
  return replaceable(about, store.current.config, stack, async ({ remote }) => {
    const { enrolment } = agent;
    if (enrolment === null) return null;
    const { fleet, device } = enrolment;
    const channels = await Channels.start(remote, {
      agent,
      fleet,
      device,
      readText: (place) => readPlace(place, store.secrets),
      ownCertificate: () => Promise.resolve(rooms.certificate.credentials),
      log: store.log,
    });
    rooms.channels = () => channels.states();
    return async () => {
      rooms.channels = () => [];
      await channels.stop();
    };
  });
}

function factsOf(
  { verdict, code, queue, disk, totals, intake, web, update }: StatusReport,
  own: BoxCertificate,
): BoxFacts {
  const certificates = [
    { use: 'DICOM over TLS', notAfter: intake.tls?.certificate?.notAfter ?? null },
    { use: 'page', notAfter: web.https?.certificate?.notAfter ?? null },
    { use: 'central IT', notAfter: own.notAfter },
  ];
  return {
    verdict: { state: verdict, reason: code },
    queue: {
      studies: queue.studies,
      instances: queue.instances,
      bytes: queue.bytes,
      oldestAgeSeconds: queue.oldestAgeSeconds,
      parked: totals.quarantined + totals.conflicts,
    },
    disk: { freeBytes: disk.freeBytes, daysLeft: disk.daysLeft },
    certificates: certificates.flatMap(({ use, notAfter }) =>
      notAfter === null ? [] : [{ use, notAfter: new Date(notAfter).toISOString() }],
    ),
    software: { version, node: process.versions.node, ...updateFacts(update) },
  };
}

/** Only of an appliance; what to do about a failure is said on the box. */
function updateFacts(update: StatusReport['update']) {
  if (update === undefined || update.running === null) return {};
  const { running, wanted, phase, failure } = update;
  return { update: { running, wanted, phase, failure: failure?.code ?? null } };
}

/** None unless the configuration names them. */
function allowedCommands({ current }: Store): FleetCommand['verb'][] {
  return current.config.remote.commands;
}

/** Who gave it is the fleet, where its keys have signed it; of anything else nothing is written down but that it came. */
function auditedCommand({ command, ok, code }: CommandNote): AuditedAction {
  const said = command === null ? null : [command.verb, command.target ?? '', command.id];
  return {
    event: 'FLEET_COMMAND',
    actor: command?.fleet ?? null,
    role: null,
    address: 'central',
    outcome: ok ? 'success' : 'failure',
    code,
    subject: said?.filter((part) => part !== '').join(' ') ?? null,
  };
}

/** @returns what came of it: nothing of a patient. @throws GantryError */
async function carryOut(store: Store, { tools, operator }: Rooms, command: FleetCommand): Promise<string> {
  const { verb, target } = command;
  if (verb === 'echo') {
    const { ok, words } = await tools.modalities.echo(target ?? '');
    if (ok) return words;
    throw new GantryError({ code: 'ECHO_FAILED', kind: 'transient', message: words, nextStep: '' });
  }
  if (verb === 'retry') {
    const count = await operator.retry(target === undefined ? {} : { destination: target });
    return `${count} taken up again.`;
  }
  const packed = await tools.bundle.pack();
  await writeFileDurably(store.disk, join(store.dataDirectory, 'support-bundle.tar.gz'), packed);
  return `A support bundle of ${packed.length} bytes lies on the box: support-bundle.tar.gz in its data directory.`;
}
