import { z } from 'zod';
import { parseUid } from '../dicom/uid.ts';
import { aeTitle, entryName, shortText } from './values.ts';

/** More would be decided on for each image. */
export const routesMax = 64;
const conditionsMax = 64;
const destinationNamesMax = 16;

const to = z
  .array(z.string())
  .min(1)
  .max(destinationNamesMax)
  .describe('Names of destinations; each gets every image of the route.');

export const route = z.strictObject({ to }).describe('Where images go.');

const modalityCode = z.string().refine((text) => /^[A-Z0-9_ ]{1,16}$/.test(text), {
  error: 'is not a Modality',
  params: { suggestion: 'Use the code as in DICOM, such as "CT" or "US".' },
});

const sopClass = z.string().refine((text) => parseUid(text) !== null, {
  error: 'is not a UID',
  params: { suggestion: 'Use the UID of a SOP class, such as "1.2.840.10008.5.1.4.1.1.2".' },
});

const timeOfDay = z.string().refine((text) => /^(?:[01][0-9]|2[0-3]):[0-5][0-9]$/.test(text), {
  error: 'is not a time of day',
  params: { suggestion: 'Write hours and minutes, such as "08:00".' },
});

function any<T extends z.ZodType>(entry: T, what: string) {
  return z.array(entry).min(1).max(conditionsMax).optional().describe(what);
}

export const rule = z
  .strictObject({
    callingAeTitles: any(aeTitle, 'Called by one of these AE titles.'),
    modalities: any(entryName, 'Sent by one of these devices: names under "modalities".'),
    modalityCodes: any(modalityCode, 'With one of these codes in Modality (0008,0060), e.g. "CT".'),
    sopClasses: any(sopClass, 'Of one of these SOP classes, by UID.'),
    institutions: any(
      shortText,
      'With one of these in Institution Name (0008,0080), upper and lower case alike. Looked at, never kept.',
    ),
    days: any(
      z.enum(['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun']),
      'Received on one of these days, in the time zone of the site.',
    ),
    hours: z
      .strictObject({
        from: timeOfDay.describe('From this time on.'),
        until: timeOfDay.describe('Until before this time; earlier than "from": over midnight.'),
      })
      .optional()
      .describe('Received between these times of day, in the time zone of the site.'),
    to,
  })
  .refine((entry) => Object.keys(entry).length > 1, {
    error: 'has no condition, so it would match every image',
    params: { suggestion: 'Add one, such as "modalityCodes": ["CT"], or use the route "default".' },
  })
  .describe('A route: images that meet all of its conditions go to its destinations.');

export const routes = z
  .object({
    default: route
      .optional()
      .describe('Where images go that no other route matches. Absent: to every destination.'),
  })
  .catchall(rule)
  .prefault({})
  .describe(
    'Which images go where, decided when an image is received and never changed for it afterwards. Every route that matches adds its destinations; "default" counts only where none does.',
  );
