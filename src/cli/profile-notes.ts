import { profileNames, profiles } from '../config/profiles.ts';
import type { Config } from '../config/schema.ts';

/** Where a destination and the cloud service it names, or seems to be, do not go together. */
export function profileNotes(config: Config): string[] {
  return Object.entries(config.destinations).flatMap(([name, destination]) => {
    if (destination.type !== 'stow') return [];
    const setting = `destinations.${name}`;
    const { hostname } = new URL(destination.url);
    if (destination.profile === null) {
      const known = profileNames.find((each) => profiles[each].host.test(hostname));
      return known === undefined
        ? []
        : [`${setting}.url looks like ${profiles[known].service}: add "profile": "${known}".`];
    }
    const { service, host, requestBytesMax, signIns } = profiles[destination.profile];
    const notes: string[] = [];
    if (!host.test(hostname)) {
      notes.push(`${setting}.url does not look like ${service}, which "profile" names.`);
    }
    if (!signIns.includes(destination.auth.type)) {
      notes.push(
        `${setting}.auth is "${destination.auth.type}", which ${service} does not know: use ${signIns.map((each) => `"${each}"`).join(' or ')}.`,
      );
    }
    if (requestBytesMax !== null && destination.batch.bytesMax > requestBytesMax) {
      notes.push(
        `${setting}.batch.bytesMax is more than the ${requestBytesMax} bytes ${service} takes in one request.`,
      );
    }
    return notes;
  });
}
