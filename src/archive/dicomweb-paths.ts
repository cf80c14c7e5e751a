import { GantryError } from '../base/errors.ts';
import type { InstanceRef, SeriesRef } from './port.ts';

/** An instance whose place in the archive is known. */
export interface PlacedInstance {
  readonly StudyInstanceUID: string;
  readonly SeriesInstanceUID: string;
  readonly SOPInstanceUID: string;
}

/** Paths of the services (PS3.18 §10.3), all derived from the configured one, which ends in `/studies`. */
export class DicomWebPaths {
  readonly origin: string;
  /** STOW-RS, and QIDO-RS for studies. */
  readonly studies: string;
  readonly #base: string;

  /** @throws GantryError ARCHIVE_URL_INVALID */
  constructor(studiesUrl: string) {
    const url = URL.canParse(studiesUrl) ? new URL(studiesUrl) : null;
    const path = url?.pathname.replace(/\/+$/, '') ?? '';
    if (url === null || !/^https?:$/.test(url.protocol) || !path.endsWith('/studies') || url.search !== '') {
      throw new GantryError({
        code: 'ARCHIVE_URL_INVALID',
        kind: 'permanent',
        message: 'The address of the archive is not an http or https address that ends in "/studies".',
        nextStep: 'Correct "url" of the destination.',
      });
    }
    this.origin = url.origin;
    this.studies = path;
    this.#base = path.slice(0, -'/studies'.length);
  }

  /** QIDO-RS for one instance, as far down the hierarchy as its place is known. */
  search(ref: InstanceRef): string {
    const { StudyInstanceUID: study, SeriesInstanceUID: series } = ref;
    const inStudy = study === null ? this.#base : `${this.studies}/${study}`;
    const place = study === null || series === null ? inStudy : `${inStudy}/series/${series}`;
    return `${place}/instances?SOPInstanceUID=${ref.SOPInstanceUID}`;
  }

  /** QIDO-RS for one study. */
  searchStudy(study: string): string {
    return `${this.studies}?StudyInstanceUID=${study}&limit=1`;
  }

  /** WADO-RS. */
  instance({
    StudyInstanceUID: study,
    SeriesInstanceUID: series,
    SOPInstanceUID: uid,
  }: PlacedInstance): string {
    return `${this.studies}/${study}/series/${series}/instances/${uid}`;
  }

  metadata(instance: PlacedInstance): string {
    return `${this.instance(instance)}/metadata`;
  }

  seriesMetadata({ StudyInstanceUID: study, SeriesInstanceUID: series }: SeriesRef): string {
    return `${this.studies}/${study}/series/${series}/metadata`;
  }

  /** The cheapest question that shows whether the services for reading are there at all. */
  probe(): string {
    return `${this.studies}?limit=1`;
  }
}
