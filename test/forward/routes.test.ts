import { describe, expect, test } from 'vitest';
import { type RoutedInstance, Router, type Routes } from '../../src/forward/routes.ts';

const ct: RoutedInstance = {
  callingAeTitle: 'CT1',
  modalityName: 'ct1',
  Modality: 'CT',
  SOPClassUID: '1.2.840.10008.5.1.4.1.1.2',
  InstitutionName: 'North Clinic',
};
const configured = ['cloud', 'pacs', 'nas'];
/** A Wednesday. */
const noonInBerlin = Date.parse('2026-06-10T10:00:00Z');

function routed(routes: Routes, instance = ct, now = noonInBerlin): readonly string[] {
  return new Router(routes, configured, 'Europe/Berlin').destinationsOf(instance, now);
}

describe('routes', () => {
  test('the default route says where, each destination once', () => {
    expect(routed({ default: { to: ['cloud', 'pacs', 'cloud'] } })).toEqual(['cloud', 'pacs']);
  });

  test('without a route everything goes everywhere', () => {
    expect(routed({})).toEqual(configured);
  });

  test('every route that matches adds its destinations; the default counts only where none does', () => {
    const routes: Routes = {
      default: { to: ['cloud'] },
      ct: { modalityCodes: ['CT', 'PT'], to: ['pacs'] },
      scanner: { callingAeTitles: ['CT1'], to: ['nas', 'pacs'] },
      us: { modalityCodes: ['US'], to: ['cloud'] },
    };
    expect(routed(routes)).toEqual(['pacs', 'nas']);
    expect(routed(routes, { ...ct, Modality: 'US', callingAeTitle: 'US1' })).toEqual(['cloud']);
    expect(routed(routes, { ...ct, Modality: null, callingAeTitle: 'X' })).toEqual(['cloud']);
  });

  test('where none matches and there is no default, an image still goes to all', () => {
    expect(routed({ us: { modalityCodes: ['US'], to: ['pacs'] } })).toEqual(configured);
  });

  test.each<[string, Omit<Routes[string], 'to'>, boolean]>([
    ['the calling AE title', { callingAeTitles: ['CT2', 'CT1'] }, true],
    ['another calling AE title', { callingAeTitles: ['ct1'] }, false],
    ['the device', { modalities: ['ct1'] }, true],
    ['another device', { modalities: ['ct2'] }, false],
    ['the Modality', { modalityCodes: ['CT'] }, true],
    ['another Modality', { modalityCodes: ['MR'] }, false],
    ['the SOP class', { sopClasses: ['1.2.840.10008.5.1.4.1.1.2'] }, true],
    ['another SOP class', { sopClasses: ['1.2.840.10008.5.1.4.1.1.4'] }, false],
    ['the institution, in any case', { institutions: ['NORTH clinic'] }, true],
    ['another institution', { institutions: ['North'] }, false],
    ['the day', { days: ['wed'] }, true],
    ['another day', { days: ['tue', 'thu'] }, false],
    ['the hours', { hours: { from: '12:00', until: '12:01' } }, true],
    ['hours that have ended', { hours: { from: '08:00', until: '12:00' } }, false],
    ['hours over midnight', { hours: { from: '22:00', until: '06:00' } }, false],
    ['hours over midnight that are long', { hours: { from: '22:00', until: '13:00' } }, true],
    ['all of several', { modalityCodes: ['CT'], days: ['wed'] }, true],
    ['only one of several', { modalityCodes: ['CT'], days: ['sun'] }, false],
  ])('a route by %s', (_, conditions, does) => {
    const routes = { default: { to: ['cloud'] }, route: { ...conditions, to: ['pacs'] } };
    expect(routed(routes)).toEqual([does ? 'pacs' : 'cloud']);
  });

  test('the time is that of the site, summer time included', () => {
    const routes = {
      default: { to: ['cloud'] },
      day: { hours: { from: '08:00', until: '18:00' }, to: ['pacs'] },
    };
    const at = (text: string): readonly string[] => routed(routes, ct, Date.parse(text));
    expect(at('2026-01-14T06:59:59Z')).toEqual(['cloud']);
    expect(at('2026-01-14T07:00:00Z')).toEqual(['pacs']);
    expect(at('2026-07-15T05:59:59Z')).toEqual(['cloud']);
    expect(at('2026-07-15T06:00:00Z')).toEqual(['pacs']);
  });

  test('an institution is known in Latin-1 and in UTF-8', () => {
    const routes = { default: { to: ['cloud'] }, m: { institutions: ['Klinik Süd'], to: ['pacs'] } };
    for (const encoding of ['latin1', 'utf8'] as const) {
      const InstitutionName = Buffer.from('Klinik Süd', encoding).toString('latin1');
      expect(routed(routes, { ...ct, InstitutionName })).toEqual(['pacs']);
    }
    expect(routed(routes, { ...ct, InstitutionName: null })).toEqual(['cloud']);
  });
});
