import { otherSopClasses, retiredStorageSopClasses, storageSopClasses } from './sop-class-registry.ts';

export const verificationSopClass = '1.2.840.10008.1.1';
export const storageCommitmentPushSopClass = '1.2.840.10008.1.20.1';

const storage: ReadonlyMap<string, string> = new Map(
  Object.entries({ ...storageSopClasses, ...retiredStorageSopClasses }),
);
const others: ReadonlyMap<string, string> = new Map(Object.entries(otherSopClasses));

/**
 * Classes known to be something else than storage: Verification, Storage Commitment, Query/Retrieve, worklist,
 * MPPS, print and the rest. Never to be taken for a private storage class.
 */
export const knownNonStorage: ReadonlySet<string> = new Set(others.keys());

/** Whether the class is a Storage SOP Class of the standard, retired ones included. */
export function isStorageSopClass(uid: string): boolean {
  return storage.has(uid);
}

/**
 * Whether the class is neither known storage nor known otherwise: private, or newer than this table. Whether
 * such a class is stored is a matter of configuration.
 */
export function isUnknownSopClass(uid: string): boolean {
  return !storage.has(uid) && !others.has(uid);
}

/** The class's name, or null where it is not in the registry. */
export function sopClassName(uid: string): string | null {
  return storage.get(uid) ?? others.get(uid) ?? null;
}
