import type { Permission, SafeToReport, StatusReport } from './status.ts';

/** What the two permissions are drawn from. */
export interface SafeToFacts {
  /** Associations that are open. */
  readonly associations: number;
  readonly diskState: StatusReport['disk']['state'];
  readonly queued: number;
  readonly totals: Pick<StatusReport['totals'], 'held' | 'quarantined' | 'conflicts'>;
  readonly destinations: Readonly<
    Record<string, Pick<StatusReport['destinations'][string], 'queued' | 'delivered' | 'accepted'>>
  >;
}

/**
 * What somebody with a screwdriver asks. Switching off loses nothing that was acknowledged; replacing the disk
 * loses everything that no archive has been proven to have.
 */
export function safeTo(facts: SafeToFacts): SafeToReport {
  const { held, quarantined, conflicts } = facts.totals;
  const unproven = Object.values(facts.destinations).map(
    ({ queued, delivered, accepted }) => queued + delivered + accepted,
  );
  const onlyHere = Math.max(facts.queued, ...unproven) + held + quarantined + conflicts;
  const inTheWay = diskFault(facts) ?? sending(facts);
  return { switchOff: inTheWay ?? allOnDisk(onlyHere), replaceDisk: inTheWay ?? disk(onlyHere) };
}

function diskFault({ diskState }: SafeToFacts): Permission | null {
  if (diskState !== 'suspect' && diskState !== 'missing') return null;
  return {
    safe: false,
    code: 'DISK_FAULT',
    words: 'the disk is at fault: call IT first, they may still save what is on it',
    count: 0,
  };
}

function sending({ associations }: SafeToFacts): Permission | null {
  if (associations === 0) return null;
  return {
    safe: false,
    code: 'DEVICE_CONNECTED',
    words:
      associations === 1
        ? 'a device is connected and may be sending: wait until it is done'
        : `${associations} devices are connected and may be sending: wait until they are done`,
    count: associations,
  };
}

function allOnDisk(onlyHere: number): Permission {
  return onlyHere === 0
    ? { safe: true, code: 'ALL_IN_ARCHIVE', words: 'the archive has everything that was received', count: 0 }
    : {
        safe: true,
        code: 'ALL_ON_DISK',
        words: 'what waits is safe on the disk, and sending goes on after the start',
        count: onlyHere,
      };
}

function disk(onlyHere: number): Permission {
  if (onlyHere === 0) {
    return {
      safe: true,
      code: 'NOTHING_ONLY_HERE',
      words: 'the archive has everything that was received; settings, keys and receipts go with the disk',
      count: 0,
    };
  }
  return {
    safe: false,
    code: 'ONLY_HERE',
    words: `${onlyHere === 1 ? '1 image is' : `${onlyHere.toLocaleString('en')} images are`} not proven to be in the archive yet`,
    count: onlyHere,
  };
}
