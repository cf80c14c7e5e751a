/**
 * Pixels of the phantom: ellipses, shaded like tissue, with noise. The same seed gives the same pixels. They
 * are made to look at and to send, not to measure: how well they compress says nothing about real images.
 */

/** Centre, half axes and value; positions in 0…1 of the image's width and height. */
interface Ellipse {
  readonly x: number;
  readonly y: number;
  readonly rx: number;
  readonly ry: number;
  readonly value: number;
}

export interface ImageSize {
  readonly columns: number;
  readonly rows: number;
}

type Pixels = Uint16Array | Uint8Array;

/** What is added to Hounsfield units to store them unsigned. */
export const ctRescaleIntercept = -1024;

const noiseValues = 1 << 16;

/** An axial slice of a chest, 12 bits stored in 16; `position` from 0 (neck) to 1 (diaphragm). */
export function ctSlicePixels(size: ImageSize, position: number, seed: number): Uint16Array {
  const pixels = new Uint16Array(size.columns * size.rows);
  const breadth = 0.75 + 0.25 * Math.sin(Math.PI * position);
  const lung = 0.16 * Math.sin(Math.PI * (0.15 + 0.8 * position));
  const heart = 0.12 * Math.max(0, Math.sin(Math.PI * (position - 0.2) * 1.4));
  paint(pixels, size, hounsfield(ctChest(breadth, lung, heart)));
  addNoise(pixels, size, seed, 12, 4095);
  return pixels;
}

function ctChest(breadth: number, lung: number, heart: number): Ellipse[] {
  const ribs = Array.from({ length: 10 }, (_, index) => {
    const angle = (index / 10) * 2 * Math.PI + 0.3;
    const x = 0.5 + 0.36 * breadth * Math.cos(angle);
    return { x, y: 0.5 + 0.26 * breadth * Math.sin(angle), rx: 0.018, ry: 0.012, value: 500 };
  });
  return [
    { x: 0.5, y: 0.5, rx: 1, ry: 1, value: -1000 },
    { x: 0.5, y: 0.5, rx: 0.43 * breadth, ry: 0.33 * breadth, value: -90 },
    { x: 0.5, y: 0.5, rx: 0.4 * breadth, ry: 0.3 * breadth, value: 45 },
    ...ribs,
    { x: 0.34, y: 0.47, rx: lung, ry: lung * 1.35, value: -820 },
    { x: 0.66, y: 0.47, rx: lung, ry: lung * 1.35, value: -820 },
    { x: 0.54, y: 0.45, rx: heart, ry: heart * 0.85, value: 60 },
    { x: 0.5, y: 0.7, rx: 0.05, ry: 0.045, value: 420 },
    { x: 0.5, y: 0.7, rx: 0.018, ry: 0.016, value: 20 },
    { x: 0.46, y: 0.61, rx: 0.022, ry: 0.022, value: 150 },
  ];
}

function hounsfield(ellipses: readonly Ellipse[]): Ellipse[] {
  return ellipses.map((ellipse) => ({ ...ellipse, value: Math.max(0, ellipse.value - ctRescaleIntercept) }));
}

/** A frontal chest radiograph, 14 bits stored in 16, bright where much is absorbed. */
export function xrayPixels(size: ImageSize, seed: number): Uint16Array {
  const pixels = new Uint16Array(size.columns * size.rows);
  const ribs = Array.from({ length: 9 }, (_, index) => {
    const y = 0.22 + index * 0.065;
    return [
      { x: 0.31, y, rx: 0.19, ry: 0.011, value: 1500 },
      { x: 0.69, y, rx: 0.19, ry: 0.011, value: 1500 },
    ];
  });
  add(pixels, size, [
    { x: 0.5, y: 0.62, rx: 0.47, ry: 0.62, value: 5200 },
    { x: 0.5, y: 0.08, rx: 0.14, ry: 0.16, value: 2600 },
    { x: 0.31, y: 0.47, rx: 0.17, ry: 0.33, value: -3600 },
    { x: 0.69, y: 0.47, rx: 0.17, ry: 0.33, value: -3600 },
    { x: 0.5, y: 0.55, rx: 0.045, ry: 0.55, value: 3800 },
    { x: 0.57, y: 0.6, rx: 0.16, ry: 0.14, value: 2600 },
    { x: 0.5, y: 0.95, rx: 0.42, ry: 0.18, value: 2800 },
    ...ribs.flat(),
  ]);
  addNoise(pixels, size, seed, 45, 16_383);
  return pixels;
}

/** Frames of a beating heart in an ultrasound sector, RGB, 8 bits, colour by pixel. */
export function ultrasoundPixels(size: ImageSize, frames: number, seed: number): Buffer {
  const frameBytes = size.columns * size.rows * 3;
  const bytes = Buffer.alloc(frameBytes * frames);
  for (let frame = 0; frame < frames; frame++) {
    const phase = (frame / frames) * 2 * Math.PI;
    paintSector(bytes.subarray(frame * frameBytes, (frame + 1) * frameBytes), size, phase, seed + frame);
  }
  return bytes;
}

function paintSector(target: Buffer, size: ImageSize, phase: number, seed: number): void {
  const { columns, rows } = size;
  const beat = 1 + 0.15 * Math.sin(phase);
  const echo = new Uint8Array(columns * rows);
  paint(echo, size, [
    { x: 0.5, y: 0.5, rx: 1, ry: 1, value: 70 },
    { x: 0.5, y: 0.55, rx: 0.24 * beat, ry: 0.3 * beat, value: 130 },
    { x: 0.44, y: 0.5, rx: 0.09 * beat, ry: 0.17 * beat, value: 14 },
    { x: 0.58, y: 0.55, rx: 0.08 * beat, ry: 0.15 * beat, value: 14 },
  ]);
  const flow = new Uint8Array(columns * rows);
  paint(flow, size, [{ x: 0.44, y: 0.55, rx: 0.05 * beat, ry: 0.06, value: 1 }]);
  const noise = noiseTable(seed);
  const next = randomStream(seed ^ 0x5eed);
  for (let row = 0; row < rows; row++) {
    const depth = row / rows;
    // Seventy degrees of sector, its tip just above the image.
    const half = Math.min(0.5, (depth + 0.05) * 0.6) * columns;
    const from = Math.max(0, Math.round(columns / 2 - half));
    const to = depth > 0.95 ? from : Math.min(columns, Math.round(columns / 2 + half));
    const offset = next();
    for (let column = from; column < to; column++) {
      const at = row * columns + column;
      const speckle = 1 + (noise[(offset + column) & (noiseValues - 1)] ?? 0) / 160;
      const grey = Math.max(0, Math.min(255, (echo[at] ?? 0) * speckle * (1.1 - 0.5 * depth)));
      const coloured = flow[at] === 1;
      target[at * 3] = coloured ? 120 + grey / 2 : grey;
      target[at * 3 + 1] = grey;
      target[at * 3 + 2] = coloured && beat < 1 ? 160 : grey;
    }
  }
}

/** Paints each ellipse over those before it. */
function paint(pixels: Pixels, size: ImageSize, ellipses: readonly Ellipse[]): void {
  for (const ellipse of ellipses) {
    forEachSpan(size, ellipse, (from, to) => pixels.fill(ellipse.value, from, to));
  }
}

/** Adds each ellipse's value, thick in its middle and thin at its edge, to what is there. */
function add(pixels: Uint16Array, size: ImageSize, ellipses: readonly Ellipse[]): void {
  for (const ellipse of ellipses) {
    forEachSpan(size, ellipse, (from, to, height) => {
      const middle = (from + to) / 2;
      const half = (to - from) / 2;
      for (let at = from; at < to; at++) {
        const across = (at - middle) / half;
        const thickness = height * Math.sqrt(Math.max(0, 1 - across * across));
        pixels[at] = Math.max(0, (pixels[at] ?? 0) + ellipse.value * thickness);
      }
    });
  }
}

/** @param visit gets a run of pixel indexes, and how thick the ellipse is at that row (0 to 1) */
function forEachSpan(
  { columns, rows }: ImageSize,
  { x, y, rx, ry }: Ellipse,
  visit: (from: number, to: number, height: number) => void,
): void {
  const top = Math.max(0, Math.ceil((y - ry) * rows));
  const bottom = Math.min(rows, Math.ceil((y + ry) * rows));
  for (let row = top; row < bottom; row++) {
    const away = (row / rows - y) / ry;
    const height = Math.sqrt(Math.max(0, 1 - away * away));
    const from = Math.max(0, Math.ceil((x - rx * height) * columns));
    const to = Math.min(columns, Math.ceil((x + rx * height) * columns));
    if (to > from) visit(row * columns + from, row * columns + to, height);
  }
}

function addNoise(
  pixels: Uint16Array,
  { columns, rows }: ImageSize,
  seed: number,
  deviation: number,
  valueMax: number,
): void {
  const noise = noiseTable(seed);
  const next = randomStream(seed ^ 0x0153);
  const scale = deviation / noiseDeviation;
  for (let row = 0; row < rows; row++) {
    // Each row reads the table from elsewhere, so that it never shows as a pattern.
    const offset = next();
    for (let column = 0; column < columns; column++) {
      const at = row * columns + column;
      const value = (pixels[at] ?? 0) + scale * (noise[(offset + column) & (noiseValues - 1)] ?? 0);
      pixels[at] = value < 0 ? 0 : value > valueMax ? valueMax : value;
    }
  }
}

/** Standard deviation of the values of `noiseTable`: four bytes summed. */
const noiseDeviation = Math.sqrt((4 * (256 * 256 - 1)) / 12);

/** Nearly Gaussian noise around zero. */
function noiseTable(seed: number): Int16Array {
  const next = randomStream(seed);
  const table = new Int16Array(noiseValues);
  for (let at = 0; at < noiseValues; at++) {
    const bytes = next();
    table[at] = (bytes & 0xff) + ((bytes >>> 8) & 0xff) + ((bytes >>> 16) & 0xff) + (bytes >>> 24) - 510;
  }
  return table;
}

/** A reproducible stream of 32-bit numbers (mulberry32). */
function randomStream(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
}
