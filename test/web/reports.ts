import type {
  DestinationReport,
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

/** Everything is well. */
export const workingReport: StatusReport = {
  verdict: 'working',
  reason: 'Everything received is in the archive.',
  nextStep: null,
  site: { name: 'North Clinic', timeZone: 'Europe/Berlin' },
  time: exampleTime,
  startedAt: minutesBefore(4 * 24 * 60),
  compression: null,
  queue: { studies: 0, instances: 0, bytes: 0, oldestAgeSeconds: 0 },
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
      lastHeardAt: minutesBefore(41),
      lastReceivedAt: minutesBefore(41),
    },
    dx1: {
      ...exampleModality,
      aeTitle: 'DXROOM',
      lastHeardAt: null,
      lastReceivedAt: null,
      received: 0,
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
  config: { generation: 7, rejected: null },
  version: '0.1.0',
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
  reason: 'Images arrive and are sent, but CT2 is refused and 3 images are set aside.',
  nextStep: 'Set the AE title of the destination to GANTRY at CT2.',
  queue: { studies: 2, instances: 412, bytes: 218_000_000, oldestAgeSeconds: 260 },
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
      lastRefusal: exampleRefusal,
    },
  },
  destinations: {
    cloud: { ...exampleDestination, queued: 380, delivered: 32, queuedBytes: 201_000_000, tlsDaysLeft: 6 },
  },
};

/** Nothing gets out. */
export const downReport: StatusReport = {
  ...workingReport,
  verdict: 'down',
  reason: 'Nothing is being sent: the certificate of the archive "cloud" expired 3 days ago.',
  nextStep: 'Call IT and read out ARCHIVE_TLS_EXPIRED. Go on scanning: images are kept safe here.',
  queue: { studies: 118, instances: 18_412, bytes: 61_400_000_000, oldestAgeSeconds: 262_000 },
  destinations: {
    cloud: {
      ...exampleDestination,
      state: 'down',
      reason: { code: 'ARCHIVE_TLS_EXPIRED', words: 'The certificate of the archive has expired.' },
      lastDeliveredAt: minutesBefore(4_370),
      lastVerifiedAt: minutesBefore(4_370),
      nextAttemptAt: new Date(Date.parse(exampleTime) + 250_000).toISOString(),
      queued: 18_412,
      queuedBytes: 61_400_000_000,
      tlsDaysLeft: -3,
    },
  },
  disk: { ...workingReport.disk, state: 'low', freeBytes: 96_000_000_000, daysLeft: 9.2 },
};

/** Just set up: nothing has come, and the archive cannot be signed in to. */
export const freshReport: StatusReport = {
  ...workingReport,
  verdict: 'degraded',
  reason: 'Not sending to "cloud": the token file /etc/gantry/token cannot be read.',
  nextStep: 'Call IT: Gantry must be able to read it. Sending resumes by itself once it can.',
  startedAt: minutesBefore(1),
  totals: { received: 0, delivered: 0, verified: 0, quarantined: 0, conflicts: 0, held: 0 },
  modalities: { ct1: { ...exampleModality, lastHeardAt: null, lastReceivedAt: null, received: 0 } },
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
