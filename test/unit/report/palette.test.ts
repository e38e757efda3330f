/** The colours of the page's charts: told apart by people who see fewer colours, and seen on their ground. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { RETRANSMIT_KINDS } from '../../../src/event/kinds.ts';

const CSS = readFileSync(join(import.meta.dirname, '../../../src/report/page/style.css'), 'utf8');

type Triple = readonly [number, number, number];
type Matrix = readonly [Triple, Triple, Triple];

/** Of linear RGB: Machado, Oliveira and Fernandes 2009, severity 1. */
const VISIONS: Readonly<Record<string, Matrix>> = {
  normal: [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
  protanopia: [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  deuteranopia: [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
  tritanopia: [
    [1.255528, -0.076749, -0.178779],
    [-0.078411, 0.930809, 0.147602],
    [0.004733, 0.691367, 0.3039],
  ],
};

/** sRGB to CIE XYZ, relative to white D65. */
const TO_XYZ: Matrix = [
  [0.4124 / 0.9505, 0.3576 / 0.9505, 0.1805 / 0.9505],
  [0.2126, 0.7152, 0.0722],
  [0.0193 / 1.089, 0.1192 / 1.089, 0.9505 / 1.089],
];

const map = (values: Triple, of: (value: number) => number): Triple => [
  of(values[0]),
  of(values[1]),
  of(values[2]),
];
const times = (matrix: Matrix, [a, b, c]: Triple): Triple => {
  const row = ([x, y, z]: Triple) => x * a + y * b + z * c;
  return [row(matrix[0]), row(matrix[1]), row(matrix[2])];
};
const linear = (hex: string): Triple => {
  const at = (place: number) => Number.parseInt(hex.slice(place, place + 2), 16) / 255;
  return map([at(1), at(3), at(5)], (value) =>
    value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4,
  );
};
const lab = (rgb: Triple): Triple => {
  const [x, y, z] = map(times(TO_XYZ, rgb), (value) =>
    value > 0.008856 ? Math.cbrt(value) : 7.787 * value + 16 / 116,
  );
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
};
const seenBy = (matrix: Matrix, hex: string): Triple =>
  lab(map(times(matrix, linear(hex)), (value) => Math.min(1, Math.max(0, value))));
const distance = (one: Triple, other: Triple): number =>
  Math.hypot(one[0] - other[0], one[1] - other[1], one[2] - other[2]);
/** As WCAG 2 has it. */
const contrast = (one: string, other: string): number => {
  const [dark = 0, light = 0] = [one, other]
    .map((hex) => times(TO_XYZ, linear(hex))[1])
    .sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
};

const DARK_AT = CSS.indexOf('prefers-color-scheme: dark');
const colorOf = (css: string, name: string): string =>
  new RegExp(`--${name}: (#[0-9a-f]{6});`).exec(css)?.[1] ?? '';

/** CIE 76. Neighbours in a bar are told apart from some 10 on. */
const LEAST_DISTANCE = 15;
/** WCAG 1.4.11, for graphics. */
const LEAST_CONTRAST = 3;

describe.each([
  ['light', CSS.slice(0, DARK_AT)],
  ['dark', CSS.slice(DARK_AT)],
])('the kinds of retransmits, %s', (_, css) => {
  const colors = RETRANSMIT_KINDS.map((kind) => colorOf(css, `kind-${kind}`));

  it.each(Object.entries(VISIONS))('are told apart with %s', (_vision, matrix) => {
    const seen = colors.map((color) => seenBy(matrix, color));
    const pairs = seen.flatMap((one, index) => seen.slice(index + 1).map((other) => distance(one, other)));
    expect(pairs).toHaveLength(15);
    expect(Math.min(...pairs)).toBeGreaterThan(LEAST_DISTANCE);
  });

  it('are seen on their ground', () => {
    for (const color of colors)
      expect(contrast(color, colorOf(css, 'paper')), color).toBeGreaterThanOrEqual(LEAST_CONTRAST);
  });
});
