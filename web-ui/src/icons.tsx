import type { JSX } from 'preact';
import type { Tone } from './words.ts';

/** Outline and mark of each tone: circle, triangle, octagon, ring. Told apart without colour. */
const toneShapes: Readonly<Record<Tone, { readonly shape: string; readonly mark: string }>> = {
  ok: { shape: 'M12 1a11 11 0 1 0 0 22 11 11 0 0 0 0-22z', mark: 'M6.8 12.4l3.6 3.6 7-7.6' },
  warn: {
    shape:
      'M12 1.5a1.6 1.6 0 0 1 1.4.8l10 17.9a1.6 1.6 0 0 1-1.4 2.3H2a1.6 1.6 0 0 1-1.4-2.3l10-17.9A1.6 1.6 0 0 1 12 1.5z',
    mark: 'M12 8.5v6M12 18.4v.2',
  },
  bad: { shape: 'M7.4 1h9.2L23 7.4v9.2L16.6 23H7.4L1 16.6V7.4z', mark: 'M8 8l8 8M16 8l-8 8' },
  idle: {
    shape: 'M12 1a11 11 0 1 0 0 22 11 11 0 0 0 0-22zm0 2.6a8.4 8.4 0 1 1 0 16.8 8.4 8.4 0 0 1 0-16.8z',
    mark: 'M8 12h8',
  },
};

/** Decoration beside the word that says the same; hidden from screen readers. */
export function ToneIcon({ tone }: { tone: Tone }): JSX.Element {
  const { shape, mark } = toneShapes[tone];
  return (
    <svg class={`icon tone-${tone}`} viewBox="0 0 24 24" aria-hidden="true">
      <path class="icon-shape" d={shape} />
      <path class={tone === 'idle' ? 'icon-mark-open' : 'icon-mark'} d={mark} />
    </svg>
  );
}

const thingShapes = {
  modality:
    'M3 21V5.5A2.5 2.5 0 0 1 5.5 3h13A2.5 2.5 0 0 1 21 5.5V21M12 7.2a4.3 4.3 0 1 0 0 8.6 4.3 4.3 0 0 0 0-8.6M1.5 21h21M8 11.5h8',
  box: 'M3.5 5h17A1.5 1.5 0 0 1 22 6.500v11a1.500 1.500 0 0 1-1.500 1.500h-17A1.500 1.500 0 0 1 2 17.500v-11A1.500 1.500 0 0 1 3.500 5zM2 12h20M6 8.500h.1M6 15.500h.1M10 8.500h8M10 15.500h8',
  internet:
    'M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20M2 12h20M12 2c3 2.700 4.200 6 4.200 10s-1.200 7.300-4.200 10c-3-2.700-4.200-6-4.200-10S9 4.700 12 2',
  archive:
    'M7 19a5 5 0 0 1-.6-9.960A6 6 0 0 1 18 9.200 4.900 4.900 0 0 1 17.500 19zM12 16v-5M9.700 13l2.300-2.200 2.300 2.200',
} as const;

export type ThingName = keyof typeof thingShapes;

export function ThingIcon({ thing }: { thing: ThingName }): JSX.Element {
  return (
    <svg class="thing" viewBox="0 0 24 24" aria-hidden="true">
      <path d={thingShapes[thing]} />
    </svg>
  );
}
