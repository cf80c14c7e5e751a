import type { Reason } from '../base/errors.ts';
import type { StaleAddress } from './address-memory.ts';
import type { CompressionReport } from './compression.ts';
import type { ClockFacts } from './network-report.ts';

export type Verdict = 'working' | 'degraded' | 'down';

/** `GET /api/v1/status`: open and PHI-free. Times are ISO 8601 in UTC. */
export interface StatusReport {
  readonly verdict: Verdict;
  /** One sentence in plain words. */
  readonly reason: string;
  /** What to do next, or null where nothing is to be done. */
  readonly nextStep: string | null;
  /** Which rule spoke, and what it spoke about: enough to say it in another language. */
  readonly code: string;
  readonly about: VerdictAbout;
  readonly safeTo: SafeToReport;
  readonly site: { readonly name: string; readonly timeZone: string };
  readonly time: string;
  readonly startedAt: string;
  readonly queue: {
    readonly studies: number;
    readonly instances: number;
    readonly bytes: number;
    readonly oldestAgeSeconds: number;
  };
  readonly drain: DrainReport;
  readonly totals: {
    readonly received: number;
    readonly delivered: number;
    readonly verified: number;
    readonly quarantined: number;
    readonly conflicts: number;
    readonly held: number;
  };
  readonly intake: {
    readonly open: boolean;
    readonly reason: Reason | null;
    readonly aeTitle: string;
    readonly port: number;
    readonly associations: number;
    /** DICOM over TLS; null where it is off. */
    readonly tls: TlsReport | null;
    readonly associationsMax: number;
    /** Connections without an association: not yet, or no longer. */
    readonly idleConnections: number;
    readonly idleConnectionsMax: number;
    /** Every limit in force, as the configuration names it. */
    readonly limits: Readonly<Record<string, number>>;
    /** What was refused since start, by code. */
    readonly refusalCounts: Readonly<Record<string, number>>;
    /** What was refused last, newest first. */
    readonly refusals: readonly RefusalReport[];
  };
  /**
   * By configured name. Unknown callers that were accepted are under their AE title; one that calls itself by the
   * name of a modality, under `TITLE (unknown caller)`.
   */
  readonly modalities: Readonly<Record<string, ModalityReport>>;
  readonly destinations: Readonly<Record<string, DestinationReport>>;
  readonly disk: {
    readonly state: 'ok' | 'low' | 'full' | 'suspect' | 'missing';
    readonly freeBytes: number;
    readonly totalBytes: number;
    readonly reserveBytes: number;
    /** At the rate of the last days, counting what waits; null while unknown. */
    readonly daysLeft: number | null;
  };
  /** Lossless compression on the way out; null where this box has no codec at work. */
  readonly compression: CompressionReport | null;
  /** Modalities that call an address this box no longer has: they have to be told the new one. */
  readonly staleAddresses: readonly StaleAddress[];
  readonly clock: Pick<ClockFacts, 'offsetSeconds' | 'trusted'>;
  readonly machine: MachineReport | null;
  readonly box: BoxReport;
  /** What happened since start, newest first. */
  readonly events: readonly EventReport[];
  readonly config: {
    readonly generation: number;
    /** What made this generation: a file, a change made on the page, or central IT. */
    readonly origin: 'file' | 'page' | 'central';
    readonly changedAt: string | null;
    /** Entries changed on the page that the file taken over since says otherwise about, e.g. `modalities.ct1`. */
    readonly undone: readonly string[];
    /** Why the configuration file that was given last is not in use; null where it is. */
    readonly rejected: RejectionReport | null;
    /** What is being tried, and for whom; absent in reports of old versions. */
    readonly central?: CentralReport | undefined;
  };
  readonly web: {
    /** The page over HTTPS; null where it is off. */
    readonly https: HttpsReport | null;
  };
  /** Of an appliance. */
  readonly update?: UpdateReport | undefined;
  readonly version: string;
}

/** Where the configuration stands between this box and central IT. */
export interface CentralReport {
  /** Null where this box belongs to no fleet. */
  readonly fleet: string | null;
  /** Of central IT, in use; null where none is. */
  readonly generation: number | null;
  /** How that one came. */
  readonly via: ChannelReport['kind'] | null;
  readonly phase: 'idle' | 'validating' | 'applying' | 'confirming' | 'reverting';
  /** What is being tried goes back by itself then; null where nothing is tried. */
  readonly confirmUntil: string | null;
  /** Entries set on this box, e.g. `modalities.ct1`. */
  readonly overrides: readonly string[];
  /** Of central IT, believed and not yet in use: it comes in a window, or when somebody says so. */
  readonly waiting: {
    readonly generation: number;
    readonly when: 'now' | 'window' | 'manual';
    /** When the window opens; null where it is open, or nobody knows. */
    readonly opensAt: string | null;
  } | null;
  /** What was tried or offered last, where it is not in use. */
  readonly failed: {
    readonly at: string;
    readonly phase: 'refused' | 'gone back';
    readonly source: 'file' | 'central';
    readonly generation: number | null;
    readonly problem: RejectionReport;
  } | null;
  /** The last document that came under central IT's name and was not believed. */
  readonly disbelieved: {
    readonly at: string;
    readonly count: number;
    readonly problem: RejectionReport;
  } | null;
  /** Whether what was seen last can be the newest there is; null where this box belongs to no fleet. */
  readonly freshness: 'fresh' | 'stale' | 'behind' | 'clock not trusted' | 'unknown' | null;
  readonly channels: readonly ChannelReport[];
}

/** The version of the appliance image that is to run, and how far it has come. */
export interface UpdateReport {
  /** That is to run; null where none is announced. */
  readonly wanted: string | null;
  /** Of the appliance image; null where this is none. */
  readonly running: string | null;
  /** `none`, `unsupported`, `fetching`, `waiting`, `installing`, `draining`, `restarting`, `in-use` or `failed`. */
  readonly phase: string;
  /** Why it failed, or is tried again; null where nothing went wrong. */
  readonly failure: RejectionReport | null;
}

/** One way to central IT. */
export interface ChannelReport {
  readonly kind: 'https' | 'mqtt' | 'usb';
  /** When central IT was last reached this way, since the start. */
  readonly contactAt: string | null;
  /** When it is asked or tried next; null where it is open, or nobody knows. */
  readonly nextAt: string | null;
  /** Why it is not reached at present. */
  readonly problem: RejectionReport | null;
}

export interface VerdictAbout {
  /** The destination or modality it is about, by name. */
  readonly name: string | null;
  readonly cause: Reason | null;
  /** How many images. */
  readonly count: number | null;
  /** Since when, or until when. */
  readonly at: string | null;
}

/** Whether something may be done to the box now, and why. */
export interface Permission {
  readonly safe: boolean;
  readonly code: string;
  readonly words: string;
  /** How many images, or how many devices, that is about. */
  readonly count: number;
}

export interface SafeToReport {
  readonly switchOff: Permission;
  readonly replaceDisk: Permission;
}

/** How fast what waits becomes less. */
export interface DrainReport {
  /** Sent to all archives over the last minute, bytes a second; null where nothing was. */
  readonly bytesPerSecond: number | null;
  /** Until nothing waits; null while it does not become less, or not steadily. */
  readonly etaSeconds: number | null;
}

export interface BoxReport {
  /** To be read out on the phone. */
  readonly id: string;
  /** How the key that opens all others is kept, and since when the present day's key is in use. */
  readonly keys: { readonly rootKey: 'file' | 'credential'; readonly epochSince: string };
}

/** Something that happened; PHI-free. */
export interface EventReport {
  readonly at: string;
  /** `good`: put right. */
  readonly tone: 'info' | 'good' | 'warn' | 'bad';
  readonly code: string;
  /** Whom or what it is about: a destination, a modality, an address. */
  readonly subject: string | null;
  readonly words: string;
}

export interface HttpsReport {
  /** Whether browsers can connect. */
  readonly open: boolean;
  readonly port: number;
  readonly certificate: TlsCertificateReport | null;
  /** What is wrong with the port or with files that are not in use for it. */
  readonly problem: RejectionReport | null;
}

export interface RejectionReport extends Reason {
  readonly nextStep: string;
}

export interface TlsReport {
  /** Whether devices can connect. */
  readonly open: boolean;
  readonly port: number;
  /** Of PS3.15: B.13 or B.12. */
  readonly profile: 'b13' | 'b12';
  readonly clientCertificateRequired: boolean;
  readonly certificate: TlsCertificateReport | null;
  /** What is wrong with the port or with files that are not in use for it. */
  readonly problem: RejectionReport | null;
}

export interface TlsCertificateReport {
  /** Made by the box itself. */
  readonly selfSigned: boolean;
  /** Where it lies on the box. */
  readonly file: string;
  /** SHA-256, `AB:CD:…`. */
  readonly sha256: string;
  readonly notBefore: string;
  readonly notAfter: string;
  /** Whole days; negative where it has expired. */
  readonly daysLeft: number;
  /** `early`: not valid yet; `renew`: past two thirds of its life. */
  readonly life: 'early' | 'ok' | 'renew' | 'expired';
}

export interface RefusalReport {
  /** When it last happened. */
  readonly at: string;
  /** `closed`: a connection without an association, or one at rest; nothing is lost by it. */
  readonly kind: 'rejected' | 'aborted' | 'closed' | 'refused object' | 'refused service';
  readonly address: string;
  readonly callingAeTitle: string;
  readonly calledAeTitle: string;
  /** The configured modality it seems to be, or null. */
  readonly modalityName: string | null;
  /** What the device proposed, by name; null where it got not so far. */
  readonly proposed: ProposalReport | null;
  readonly code: string;
  readonly reason: string;
  readonly nextStep: string;
  /** How often, as long as it is remembered. */
  readonly count: number;
}

/** The first few names of each kind, and how many more there were. */
export interface ProposalReport {
  readonly contexts: number;
  readonly sopClasses: readonly string[];
  readonly transferSyntaxes: readonly string[];
}

export interface ModalityReport {
  /** False for an unknown caller that was accepted. */
  readonly configured: boolean;
  readonly aeTitle: string;
  readonly lastHeardAt: string | null;
  readonly lastReceivedAt: string | null;
  readonly received: number;
  /** Since midnight at the site. */
  readonly receivedToday: number;
  readonly lastRefusal: RefusalReport | null;
}

export interface DestinationReport {
  /** `untried`: it has not answered since start, and is being tried. */
  readonly state: 'untried' | 'up' | 'waiting' | 'down' | 'paused' | 'removed';
  readonly reason: Reason | null;
  /** When the archive last confirmed an instance. */
  readonly lastDeliveredAt: string | null;
  readonly lastVerifiedAt: string | null;
  /** When it will be tried again, null while it is being tried. */
  readonly nextAttemptAt: string | null;
  readonly queued: number;
  readonly delivered: number;
  readonly verified: number;
  readonly accepted: number;
  readonly held: number;
  readonly quarantined: number;
  readonly conflict: number;
  readonly queuedBytes: number;
  readonly bytesSent: number;
  readonly tlsDaysLeft: number | null;
  /** Of the volume of a folder, as last seen; null for what is reached over the network. */
  readonly space: { readonly freeBytes: number; readonly totalBytes: number } | null;
  /** Whether a labelled test image may be sent to it: it would stay there. */
  readonly testStudyAllowed: boolean;
  readonly line: LineReport;
}

/** Megabits (1,000,000 bits) of images a second, without what TLS and TCP put around them. */
export interface LineReport {
  /** What leaves while something is under way; null before enough was sent since start to tell. */
  readonly measuredMbitPerSecond: number | null;
  /** The limit in force; null: none, 0: nothing is sent. */
  readonly limitMbitPerSecond: number | null;
  /** Set by a command, by a window of the configuration that is open, or by the configuration otherwise. */
  readonly limitBecause: 'operator' | 'window' | 'setting';
  /** When another limit comes into force by itself, or null. */
  readonly limitUntil: string | null;
}

export interface MachineReport {
  readonly cpuLoadPercent: number;
  readonly memoryUsedBytes: number;
  readonly memoryTotalBytes: number;
  readonly temperatureCelsius: number | null;
  readonly uptimeSeconds: number;
  readonly processRssBytes: number;
}
