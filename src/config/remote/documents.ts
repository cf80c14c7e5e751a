import { z } from 'zod';
import { entryName } from '../values.ts';

/** Every document that travels between central IT and a box is at most so large as it is sent. */
export const documentBytesMax = 65_536;
export const wireVersion = 'gantry/v1';

/** Shortest and longest time a box may take to confirm a configuration before it goes back by itself. */
export const confirmSeconds = { min: 30, max: 3600, default: 600 } as const;

export const boxName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9-]{2,62}$/, 'is not the id of a box')
  .brand<'BoxName'>();
export const fleetName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'is not the name of a fleet')
  .brand<'FleetName'>();
export type BoxName = z.output<typeof boxName>;
export type FleetName = z.output<typeof fleetName>;

/** RFC 7638 thumbprint of a public key: what a signature names it by. */
export const keyId = z.string().regex(/^[\w-]{43}$/, 'is not a key id');
const sha256Hex = z.string().regex(/^[0-9a-f]{64}$/);
const instant = z.iso.datetime();
const rising = z.int().min(1).max(Number.MAX_SAFE_INTEGER);
/** A public key as JWK (RFC 8037): Ed25519 to sign with, X25519 to seal to. */
export const publicJwk = z.strictObject({
  kty: z.literal('OKP'),
  crv: z.enum(['Ed25519', 'X25519']),
  x: z.string().regex(/^[\w-]{43}$/),
});
export type PublicJwk = z.output<typeof publicJwk>;

/** What a signature may be for; each has its own threshold, and each key the roles it is trusted in. */
export const signingRoles = ['config', 'redirect', 'timestamp', 'command'] as const;
export type SigningRole = (typeof signingRoles)[number];

/** JSON pointers (RFC 6901) of settings. */
const pointer = z.string().max(512);

/** The complete configuration of one box. */
export const desiredConfig = z.strictObject({
  apiVersion: z.literal(wireVersion),
  kind: z.literal('DesiredConfig'),
  fleet: fleetName,
  device: boxName,
  /** Strictly rising per box; a rollback is a new generation with old content. */
  generation: rising,
  issuedAt: instant,
  /** The version of the configuration schema that `config` is written for. */
  schemaVersion: rising,
  source: z.strictObject({
    commit: z.string().max(64),
    layers: z.array(z.strictObject({ name: entryName, sha256: sha256Hex })).max(64),
  }),
  rollout: z.strictObject({ id: entryName, wave: z.int().min(0) }).optional(),
  /** The generation whose content comes back with this one. */
  restores: rising.optional(),
  apply: z.strictObject({
    when: z.enum(['now', 'window', 'manual']).default('now'),
    confirmWithinSeconds: z
      .int()
      .min(confirmSeconds.min)
      .max(confirmSeconds.max)
      .default(confirmSeconds.default),
  }),
  /** Local overrides that central IT takes back: the box forgets its own values there. */
  clearOverrides: z.array(pointer).max(256).optional(),
  /** A document for `documentShape`; checked against it on the box. */
  config: z.record(z.string(), z.unknown()),
  /** Compact JWE (RFC 7516) to the sealing key of the box, by the name `"secret:NAME"` in the configuration. */
  sealed: z.record(entryName, z.string().max(16_384)).default({}),
});
export type DesiredConfig = z.output<typeof desiredConfig>;

/** Who is believed. The first comes at enrolment; each next one is signed as the one before it demands. */
export const trustDocument = z.strictObject({
  apiVersion: z.literal(wireVersion),
  kind: z.literal('Trust'),
  fleet: fleetName,
  version: rising,
  issuedAt: instant,
  keys: z.record(
    keyId,
    z.strictObject({ key: publicJwk, roles: z.array(z.enum([...signingRoles, 'trust'])).min(1) }),
  ),
  /** How many different keys have to sign. `redirect`: settings that send patient data elsewhere. */
  threshold: z.strictObject({
    trust: z.int().min(1).max(16),
    config: z.int().min(1).max(16),
    redirect: z.int().min(1).max(16),
    timestamp: z.int().min(1).max(16),
    command: z.int().min(1).max(16),
  }),
  /** PEM of the authorities that issue box certificates; empty where boxes have none. */
  deviceCa: z.array(z.string().max(8192)).max(4).default([]),
  /** Serial numbers (hex) of box certificates that are not good any more. */
  revoked: z.array(z.string().max(64)).max(512).default([]),
});
export type TrustDocument = z.output<typeof trustDocument>;

/** Says what is newest at this time, so that a box notices when it is kept from seeing it. The only one that expires. */
export const fleetTimestamp = z.strictObject({
  apiVersion: z.literal(wireVersion),
  kind: z.literal('FleetTimestamp'),
  fleet: fleetName,
  version: rising,
  issuedAt: instant,
  expiresAt: instant,
  trustVersion: rising,
  /** Merkle root over (device, generation, sha256 of the desired document), sorted by device; see `freshness.ts`. */
  index: z.strictObject({ root: sha256Hex, boxes: z.int().min(0) }),
});
export type FleetTimestamp = z.output<typeof fleetTimestamp>;

/** Unsigned, and checked against the timestamp: what the newest document of one box is. */
export const freshnessProof = z.strictObject({
  device: boxName,
  generation: rising,
  sha256: sha256Hex,
  index: z.int().min(0),
  path: z.array(sha256Hex).max(32),
});
export type FreshnessProof = z.output<typeof freshnessProof>;

export const fleetCommand = z.strictObject({
  apiVersion: z.literal(wireVersion),
  kind: z.literal('Command'),
  fleet: fleetName,
  device: boxName,
  id: z.uuid(),
  issuedAt: instant,
  expiresAt: instant,
  verb: z.enum(['echo', 'support-bundle', 'retry']),
  /** `echo`: the name of a modality. `retry`: the name of a destination, or none for all. */
  target: entryName.optional(),
});
export type FleetCommand = z.output<typeof fleetCommand>;

/** PEM; one of P-256 has some 600 bytes. */
export const certificatePem = z.string().max(8192);

/** What a box asks for its certificate with; signed with its own key, as its report is. */
export const certificateRequest = z.strictObject({
  apiVersion: z.literal(wireVersion),
  kind: z.literal('CertificateRequest'),
  fleet: fleetName,
  device: boxName,
  /** PKCS #10 (RFC 2986), PEM. */
  request: certificatePem,
});
export type CertificateRequestDocument = z.output<typeof certificateRequest>;

/** General JSON serialisation of a JWS (RFC 7515 7.2.1) over the exact bytes of one of the documents. */
export const signedDocument = z.strictObject({
  payload: z.string().max(documentBytesMax * 2),
  signatures: z
    .array(z.strictObject({ protected: z.string().max(1024), signature: z.string().max(128) }))
    .min(1)
    .max(16),
});
export type SignedDocument = z.output<typeof signedDocument>;

export const reportPhases = [
  'Pending',
  'Validating',
  'Applying',
  'Confirming',
  'Applied',
  'Rejected',
  'RolledBack',
] as const;
export type ReportPhase = (typeof reportPhases)[number];

/** What a box says of itself, signed with its own key. Never patient data, never a UID. */
export const reportedState = z.strictObject({
  apiVersion: z.literal(wireVersion),
  kind: z.literal('ReportedState'),
  fleet: fleetName,
  device: boxName,
  /** Strictly rising per box. */
  seq: rising,
  at: instant,
  config: z.strictObject({
    observedGeneration: z.int().min(0),
    appliedGeneration: z.int().min(0),
    /** SHA-256 of the document in use, with local overrides in it. */
    effectiveSha256: sha256Hex.nullable(),
    schemaVersion: rising,
    localOverrides: z.record(pointer, z.unknown()),
    phase: z.enum(reportPhases),
    error: z.strictObject({ code: z.string(), path: z.string().nullable(), message: z.string() }).nullable(),
    trustVersion: z.int().min(0),
    timestampVersion: z.int().min(0),
    freshness: z.enum(['fresh', 'stale', 'behind', 'clock not trusted', 'unknown']),
  }),
  /** Documents that were refused since the report before: forged, replayed, frozen … */
  refused: z.array(z.strictObject({ code: z.string(), at: instant, count: z.int().min(1) })).max(32),
  verdict: z.strictObject({ state: z.string(), reason: z.string().nullable() }),
  queue: z.strictObject({
    studies: z.int(),
    instances: z.int(),
    bytes: z.int(),
    oldestAgeSeconds: z.number().nullable(),
    parked: z.int(),
  }),
  disk: z.strictObject({ freeBytes: z.number().nullable(), daysLeft: z.number().nullable() }),
  certificates: z.array(z.strictObject({ use: z.string(), notAfter: instant })).max(32),
  /** A signed {@link certificateRequest}, from two thirds of the life of its certificate on. */
  certificateRequest: signedDocument.optional(),
  software: z.strictObject({
    version: z.string(),
    node: z.string(),
    /** Of an appliance: its image, the one that is to run, and how far that has come. */
    update: z
      .strictObject({
        running: z.string().max(64),
        wanted: z.string().max(64).nullable(),
        phase: z.string().max(32),
        failure: z.string().max(64).nullable(),
      })
      .optional(),
  }),
  /** Answers to commands, the newest last. */
  commands: z
    .array(
      z.strictObject({
        id: z.uuid(),
        at: instant,
        ok: z.boolean(),
        code: z.string().nullable(),
        text: z.string().max(1000),
      }),
    )
    .max(16),
});
export type ReportedState = z.output<typeof reportedState>;

/** How a document reached the box; its bytes are the same on each way. */
export const channelKinds = ['https', 'mqtt', 'usb'] as const;
export type ChannelKind = (typeof channelKinds)[number];

/**
 * What a channel carries to a box. `freshness` is a signed timestamp and the proof of this box in one JSON object;
 * `certificate` is one for this box (PEM), which the authority of the trust document has signed.
 */
export const inboundKinds = ['trust', 'certificate', 'freshness', 'desired', 'command'] as const;
export type InboundKind = (typeof inboundKinds)[number];
