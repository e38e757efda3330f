/** The drawing of the chart over time, by uPlot: stacked bars on a canvas, with a cursor and a part that is chosen. */
import uPlot from 'uplot';
import { STEPS_S } from '../steps.ts';
import { clock, short } from '../words.ts';
import type { LineSet, Slices } from './lines.ts';
import type { Selection } from './selection.ts';

export interface Chart {
  draw(slices: Slices, lines: LineSet): void;
  /** Moves the cursor to the middle of a slice. */
  moveTo(slice: number): void;
  /** Shades the part that is chosen. */
  showSelection(): void;
}

const HEIGHT = 240;
const LEAST_WIDTH = 280;
const FONT = '12px system-ui, sans-serif';
const DAY_S = 86_400;
/** What is counted is whole, so no line stands between two numbers. */
const COUNT_STEPS = Array.from({ length: 15 }, (_, power) =>
  [1, 2, 5].map((step) => step * 10 ** power),
).flat();
/** No text of the axis stands between two seconds. */
const AXIS_STEPS_S = [...STEPS_S, 15, 2 * 60, 15 * 60, 2 * 3600, 4 * 3600, 2 * DAY_S].sort(
  (one, other) => one - other,
);

function color(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** `step_s`: seconds in a slice. `onCursor` gets the slice under the mouse. */
export function createChart(
  place: HTMLElement,
  step_s: number,
  selection: Selection,
  onCursor: (slice: number) => void,
): Chart {
  let chart: uPlot | null = null;
  let cursor = 0;

  function showCursor(): void {
    const middle = chart?.data[0][cursor];
    if (chart !== null && middle !== undefined)
      chart.setCursor({ left: chart.valToPos(middle, 'x'), top: 0 }, false);
  }

  function showSelection(): void {
    if (chart === null) return;
    const { from_s, to_s } = selection.range;
    const left = Math.max(0, chart.valToPos(from_s, 'x'));
    const right = Math.min(chart.over.clientWidth, chart.valToPos(to_s, 'x'));
    const shape = selection.isWhole ? { left: 0, width: 0 } : { left, width: right - left };
    chart.setSelect({ top: 0, height: chart.bbox.height / devicePixelRatio, ...shape }, false);
  }

  const hooks: uPlot.Hooks.Arrays = {
    // Before, it does not know its size.
    ready: [
      (drawn) => {
        chart = drawn;
        showSelection();
        showCursor();
      },
    ],
    setSelect: [
      (drawn) => {
        const { left, width } = drawn.select;
        if (width > 0) selection.choose(drawn.posToVal(left, 'x'), drawn.posToVal(left + width, 'x'));
        showSelection();
      },
    ],
    setCursor: [
      ({ cursor: { idx, event } }) => {
        // Without an event, uPlot only says where the cursor is at the start.
        if (event !== undefined && event !== null && idx !== undefined && idx !== null) onCursor(idx);
      },
    ],
  };

  function optionsOf(lines: LineSet, { times }: Slices): uPlot.Options {
    const span = { from_s: times[0] ?? 0, to_s: (times.at(-1) ?? 0) + step_s };
    const space = span.to_s - span.from_s > DAY_S ? 120 : 60;
    return {
      width: Math.max(LEAST_WIDTH, place.clientWidth),
      height: HEIGHT,
      legend: { show: false },
      cursor: { y: false, points: { show: false }, drag: { x: true, y: false, setScale: false, dist: 4 } },
      scales: {
        x: { time: true, range: () => [span.from_s, span.to_s] },
        y: { range: (_chart, _low, high) => [0, Math.max(1, high * 1.05)] },
      },
      tzDate: (second) => uPlot.tzDate(new Date(second * 1000), 'UTC'),
      // Room for the last text of the axis.
      padding: [null, 28, null, null],
      axes: [
        axisOf({
          space,
          incrs: [...AXIS_STEPS_S],
          values: (_chart, splits, _axis, _space, step) => splits.map((second) => clock(second, span, step)),
        }),
        axisOf({
          size: 60,
          incrs: COUNT_STEPS,
          values: (_chart, splits) => splits.map(short),
        }),
      ],
      series: [{}, ...seriesOf(lines)],
      hooks,
    };
  }

  return {
    draw(slices, lines) {
      chart?.destroy();
      const middles = slices.times.map((second) => second + step_s / 2);
      chart = new uPlot(optionsOf(lines, slices), [middles, ...stack(slices, lines)], place);
    },
    moveTo(slice) {
      cursor = slice;
      showCursor();
    },
    showSelection,
  };
}

function axisOf(more: uPlot.Axis): uPlot.Axis {
  const grid = { stroke: () => color('--line'), width: 1 };
  return { stroke: () => color('--muted'), font: FONT, grid, ticks: { ...grid, size: 4 }, ...more };
}

/** Stacked, so the first line of the legend lies at the bottom; the highest sum is drawn first. */
function seriesOf({ series }: LineSet): uPlot.Series[] {
  const bars = uPlot.paths.bars?.({ size: [1, 64], gap: 1 });
  return [...series].reverse().map(({ label, color: name }) => ({
    label,
    width: 0,
    fill: () => color(name),
    points: { show: false },
    ...(bars !== undefined && { paths: bars }),
  }));
}

function stack({ times, values }: Slices, { series }: LineSet): number[][] {
  const sums = times.map(() => 0);
  const stacked = series.map((_, index) =>
    times.map((_time, slice) => {
      const sum = (sums[slice] ?? 0) + (values[index]?.[slice] ?? 0);
      sums[slice] = sum;
      return sum;
    }),
  );
  return stacked.reverse();
}
