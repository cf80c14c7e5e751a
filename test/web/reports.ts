import type {
  CentralReport,
  DestinationReport,
  EventReport,
  MachineReport,
  ModalityReport,
  RefusalReport,
  StatusReport,
} from '../../src/health/status.ts';

/** The moment of every example report. */
export const exampleTime = '2026-11-24T09:44:12.000Z';

/** ISO time so many minutes before {@link exampleTime}. */
export function minutesBefore(minutes: number): string {
  return new Date(Date.parse(exampleTime) - minutes * 60_000).toISOString();
}

export const exampleDestination: DestinationReport = {
  state: 'up',
  reason: null,
  lastDeliveredAt: minutesBefore(2),
  lastVerifiedAt: minutesBefore(2),
  nextAttemptAt: null,
  queued: 0,
  delivered: 0,
  verified: 48_213,
  accepted: 0,
  held: 0,
  quarantined: 0,
  conflict: 0,
  queuedBytes: 0,
  bytesSent: 25_300_000_000,
  tlsDaysLeft: 71,
  space: null,
  testStudyAllowed: false,
  line: {
    measuredMbitPerSecond: 5.8,
    limitMbitPerSecond: null,
    limitBecause: 'setting',
    limitUntil: null,
  },
};

export const exampleModality: ModalityReport = {
  configured: true,
  aeTitle: 'CT1',
  lastHeardAt: minutesBefore(3),
  lastReceivedAt: minutesBefore(3),
  received: 31_870,
  receivedToday: 214,
  lastRefusal: null,
};

export const exampleRefusal: RefusalReport = {
  at: minutesBefore(6),
  kind: 'rejected',
  address: '10.4.1.57',
  callingAeTitle: 'CT2',
  calledAeTitle: 'DGW2',
  modalityName: 'ct2',
  proposed: {
    contexts: 3,
    sopClasses: ['CT Image Storage', 'Enhanced CT Image Storage', 'Verification'],
    transferSyntaxes: ['JPEG Lossless, SV1', 'Explicit VR Little Endian', 'Implicit VR Little Endian'],
  },
  code: 'CALLED_AE_TITLE',
  reason: 'The device asked for an AE title that is not that of this gateway.',
  nextStep:
    'Correct the called AE title in the device (upper and lower case count), or add it to "aliases" in the configuration.',
  count: 12,
};

const exampleMachine: MachineReport = {
  cpuLoadPercent: 4,
  memoryUsedBytes: 1_900_000_000,
  memoryTotalBytes: 8_200_000_000,
  temperatureCelsius: 51,
  uptimeSeconds: 345_600,
  processRssBytes: 118_000_000,
};

const startEvent: EventReport = {
  at: minutesBefore(4 * 24 * 60),
  tone: 'info',
  code: 'GATEWAY_STARTED',
  subject: null,
  words: 'The gateway was started.',
};

function onlyHere(count: number): StatusReport['safeTo'] {
  return {
    switchOff: {
      safe: true,
      code: 'ALL_ON_DISK',
      words: 'what waits is safe on the disk, and sending goes on after the start',
      count,
    },
    replaceDisk: {
      safe: false,
      code: 'ONLY_HERE',
      words: `${count.toLocaleString('en')} images are not proven to be in the archive yet`,
      count,
    },
  };
}

/** Everything is well. */
export const workingReport: StatusReport = {
  verdict: 'working',
  reason: 'Everything received is in the archive.',
  nextStep: null,
  code: 'ALL_VERIFIED',
  about: { name: null, cause: null, count: null, at: null },
  safeTo: {
    switchOff: {
      safe: true,
      code: 'ALL_IN_ARCHIVE',
      words: 'the archive has everything that was received',
      count: 0,
    },
    replaceDisk: {
      safe: true,
      code: 'NOTHING_ONLY_HERE',
      words: 'the archive has everything that was received; settings, keys and receipts go with the disk',
      count: 0,
    },
  },
  site: { name: 'North Clinic', timeZone: 'Europe/Berlin' },
  time: exampleTime,
  startedAt: minutesBefore(4 * 24 * 60),
  compression: null,
  queue: { studies: 0, instances: 0, bytes: 0, oldestAgeSeconds: 0 },
  drain: { bytesPerSecond: null, etaSeconds: null },
  totals: { received: 48_213, delivered: 48_213, verified: 48_213, quarantined: 0, conflicts: 0, held: 0 },
  intake: {
    open: true,
    reason: null,
    aeTitle: 'GANTRY',
    port: 11112,
    associations: 0,
    tls: null,
    associationsMax: 64,
    idleConnections: 0,
    idleConnectionsMax: 64,
    limits: { associationsMax: 64, idleConnectionsMax: 64 },
    refusalCounts: {},
    refusals: [],
  },
  modalities: {
    ct1: exampleModality,
    us1: {
      ...exampleModality,
      aeTitle: 'LOGIQ_US',
      received: 16_343,
      receivedToday: 96,
      lastHeardAt: minutesBefore(41),
      lastReceivedAt: minutesBefore(41),
    },
    dx1: {
      ...exampleModality,
      aeTitle: 'DXROOM',
      lastHeardAt: null,
      lastReceivedAt: null,
      received: 0,
      receivedToday: 0,
    },
  },
  destinations: { cloud: exampleDestination },
  disk: {
    state: 'ok',
    freeBytes: 402_000_000_000,
    totalBytes: 480_000_000_000,
    reserveBytes: 20_000_000_000,
    daysLeft: 38.4,
  },
  machine: exampleMachine,
  box: { id: 'GANTRY-7F3K9Q', keys: { rootKey: 'file', epochSince: minutesBefore(9 * 60) } },
  events: [startEvent],
  staleAddresses: [],
  clock: { offsetSeconds: { cloud: 1 }, trusted: true },
  config: {
    generation: 7,
    origin: 'file',
    changedAt: minutesBefore(4 * 24 * 60),
    undone: [],
    rejected: null,
  },
  web: {
    https: {
      open: true,
      port: 8443,
      certificate: {
        selfSigned: true,
        file: '/var/lib/gantry/config/web-tls.pem',
        sha256:
          '5B:0C:81:AA:4F:1D:9E:33:07:F2:6A:D4:90:BE:17:C8:5B:0C:81:AA:4F:1D:9E:33:07:F2:6A:D4:90:BE:17:C8',
        notBefore: minutesBefore(24 * 60),
        notAfter: minutesBefore(-3650 * 24 * 60),
        daysLeft: 3650,
        life: 'ok',
      },
      problem: null,
    },
  },
  version: '0.1.0',
};

/** Reached one way, not the other. */
export const centralReport: CentralReport = {
  fleet: 'acme',
  generation: 42,
  via: 'https',
  phase: 'idle',
  confirmUntil: null,
  overrides: ['site.timeZone', 'modalities.us1'],
  waiting: null,
  failed: null,
  disbelieved: null,
  freshness: 'fresh',
  channels: [
    { kind: 'https', contactAt: minutesBefore(4), nextAt: minutesBefore(-2), problem: null },
    {
      kind: 'mqtt',
      contactAt: minutesBefore(180),
      nextAt: minutesBefore(-1),
      problem: {
        code: 'REMOTE_PROXY_REFUSED',
        words: 'The proxy refuses the way to central IT.',
        nextStep: "Ask whoever runs the proxy to allow central IT's host and port.",
      },
    },
  ],
};

/** Central IT gives its settings. */
export const fleetReport: StatusReport = {
  ...workingReport,
  config: {
    generation: 12,
    origin: 'central',
    changedAt: minutesBefore(60),
    undone: [],
    rejected: null,
    central: centralReport,
  },
};

/** Devices may send with TLS, under a certificate that is to be renewed. */
export const tlsReport: StatusReport = {
  ...workingReport,
  intake: {
    ...workingReport.intake,
    tls: {
      open: true,
      port: 2762,
      profile: 'b13',
      clientCertificateRequired: false,
      certificate: {
        selfSigned: true,
        file: '/var/lib/gantry/config/dicom-tls.pem',
        sha256:
          'AB:CD:EF:01:23:45:67:89:AB:CD:EF:01:23:45:67:89:AB:CD:EF:01:23:45:67:89:AB:CD:EF:01:23:45:67:89',
        notBefore: minutesBefore(7 * 365 * 24 * 60),
        notAfter: minutesBefore(-3 * 365 * 24 * 60),
        daysLeft: 1095,
        life: 'renew',
      },
      problem: null,
    },
  },
};

/** It works, but a modality is refused and some images are set aside. */
export const degradedReport: StatusReport = {
  ...workingReport,
  verdict: 'degraded',
  reason: '"ct2" called and was refused: the device asked for an AE title that is not that of this gateway.',
  nextStep: exampleRefusal.nextStep,
  code: 'MODALITY_REFUSED',
  about: {
    name: 'ct2',
    cause: { code: exampleRefusal.code, words: exampleRefusal.reason },
    count: null,
    at: exampleRefusal.at,
  },
  safeTo: {
    switchOff: {
      safe: false,
      code: 'DEVICE_CONNECTED',
      words: 'a device is connected and may be sending: wait until it is done',
      count: 1,
    },
    replaceDisk: {
      safe: false,
      code: 'DEVICE_CONNECTED',
      words: 'a device is connected and may be sending: wait until it is done',
      count: 1,
    },
  },
  queue: { studies: 2, instances: 412, bytes: 218_000_000, oldestAgeSeconds: 260 },
  drain: { bytesPerSecond: 720_000, etaSeconds: 304 },
  events: [
    {
      at: minutesBefore(6),
      tone: 'warn',
      code: 'CALLED_AE_TITLE',
      subject: 'ct2',
      words: exampleRefusal.reason,
    },
    {
      at: minutesBefore(190),
      tone: 'warn',
      code: 'CALLING_AE_TITLE',
      subject: 'STORESCU',
      words: 'The calling AE title belongs to no configured modality.',
    },
    {
      at: minutesBefore(400),
      tone: 'warn',
      code: 'HTTP_ON_DICOM_PORT',
      subject: '10.4.9.2',
      words: 'A web client (HTTP) called the DICOM port.',
    },
    startEvent,
  ],
  totals: { ...workingReport.totals, quarantined: 2, conflicts: 1 },
  intake: {
    ...workingReport.intake,
    associations: 1,
    refusals: [
      exampleRefusal,
      {
        ...exampleRefusal,
        at: minutesBefore(190),
        address: '10.4.1.91',
        callingAeTitle: 'STORESCU',
        calledAeTitle: 'GANTRY',
        modalityName: null,
        code: 'CALLING_AE_TITLE',
        reason: 'The calling AE title belongs to no configured modality.',
        nextStep:
          'Add the device under "modalities" in the configuration with exactly this AE title, upper and lower case included.',
        count: 1,
      },
      {
        ...exampleRefusal,
        at: minutesBefore(400),
        kind: 'closed',
        address: '10.4.9.2',
        callingAeTitle: '',
        calledAeTitle: '',
        modalityName: null,
        proposed: null,
        code: 'HTTP_ON_DICOM_PORT',
        reason: 'A web client (HTTP) called the DICOM port.',
        nextStep: 'Use the web port for the browser, or point the monitoring check at the web port.',
        count: 1,
      },
    ],
  },
  modalities: {
    ...workingReport.modalities,
    ct2: {
      configured: true,
      aeTitle: 'CT2',
      lastHeardAt: minutesBefore(1500),
      lastReceivedAt: minutesBefore(1500),
      received: 9_114,
      receivedToday: 0,
      lastRefusal: exampleRefusal,
    },
  },
  destinations: {
    cloud: { ...exampleDestination, queued: 380, delivered: 32, queuedBytes: 201_000_000, tlsDaysLeft: 6 },
  },
};

const fullWords = 'The disk is full up to its reserve; nothing that waits is deleted.';

/** Nothing gets out, and by now nothing gets in. */
export const downReport: StatusReport = {
  ...workingReport,
  verdict: 'down',
  reason: 'Not receiving: the disk is full; 18,412 images are safe on this box.',
  nextStep:
    'Bring the connection to the archive back, or give this box a larger disk; images already received are safe.',
  code: 'NOT_RECEIVING',
  about: { name: null, cause: { code: 'SPOOL_DISK_FULL', words: fullWords }, count: null, at: null },
  safeTo: onlyHere(18_412),
  queue: { studies: 118, instances: 18_412, bytes: 61_400_000_000, oldestAgeSeconds: 262_000 },
  destinations: {
    cloud: {
      ...exampleDestination,
      state: 'down',
      reason: { code: 'CERT_HAS_EXPIRED', words: 'the certificate of the archive has expired' },
      lastDeliveredAt: minutesBefore(4_370),
      lastVerifiedAt: minutesBefore(4_370),
      nextAttemptAt: new Date(Date.parse(exampleTime) + 250_000).toISOString(),
      queued: 18_412,
      queuedBytes: 61_400_000_000,
      tlsDaysLeft: -3,
    },
  },
  intake: {
    ...workingReport.intake,
    open: false,
    reason: { code: 'SPOOL_DISK_FULL', words: fullWords },
  },
  events: [
    { at: minutesBefore(55), tone: 'bad', code: 'DISK_FULL', subject: null, words: fullWords },
    {
      at: minutesBefore(4_368),
      tone: 'warn',
      code: 'CERT_HAS_EXPIRED',
      subject: 'cloud',
      words: 'the certificate of the archive has expired',
    },
    startEvent,
  ],
  disk: { ...workingReport.disk, state: 'full', freeBytes: 19_900_000_000, daysLeft: 0 },
};

/** Just set up: nothing has come, and the archive cannot be signed in to. */
export const freshReport: StatusReport = {
  ...workingReport,
  verdict: 'degraded',
  reason: 'Not sending to "cloud": the token file /etc/gantry/token cannot be read.',
  nextStep: 'Call IT: Gantry must be able to read it. Sending resumes by itself once it can.',
  code: 'SECRET_UNREADABLE',
  about: {
    name: 'cloud',
    cause: { code: 'TOKEN_FILE_UNREADABLE', words: 'the token file /etc/gantry/token cannot be read' },
    count: null,
    at: null,
  },
  startedAt: minutesBefore(1),
  totals: { received: 0, delivered: 0, verified: 0, quarantined: 0, conflicts: 0, held: 0 },
  modalities: {
    ct1: { ...exampleModality, lastHeardAt: null, lastReceivedAt: null, received: 0, receivedToday: 0 },
  },
  destinations: {
    cloud: {
      ...exampleDestination,
      state: 'paused',
      reason: {
        code: 'TOKEN_FILE_UNREADABLE',
        words: 'the token file /etc/gantry/token cannot be read',
      },
      lastDeliveredAt: null,
      lastVerifiedAt: null,
      nextAttemptAt: new Date(Date.parse(exampleTime) + 250_000).toISOString(),
      verified: 0,
      bytesSent: 0,
      tlsDaysLeft: null,
    },
  },
  disk: { ...workingReport.disk, daysLeft: null },
  machine: { ...exampleMachine, temperatureCelsius: null },
};
