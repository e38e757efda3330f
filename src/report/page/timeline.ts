/**
 * What happened when: a chart whose part one chooses with the mouse, the keyboard or two sliders. A canvas says nothing to
 * screen readers, so the chart is a slider whose value is the text of the slice under the cursor, and a table stands
 * beside it.
 */
import { grouped } from '../../shared/text.ts';
import type { ReportModel } from '../model.ts';
import { clock } from '../words.ts';
import { createChart } from './chart.ts';
import { createChoice } from './choice.ts';
import { h, withProperty } from './dom.ts';
import { LINES, type LineSet, type Slices, slicesOf } from './lines.ts';
import { sectionOf } from './section.ts';
import type { Selection } from './selection.ts';
import { createSliders } from './sliders.ts';
import { createTable } from './table.ts';

const MOVES: Readonly<Record<string, number>> = {
  ...{ ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 },
  ...{ Home: Number.NEGATIVE_INFINITY, End: Number.POSITIVE_INFINITY },
};

export function createTimeline(model: ReportModel, selection: Selection) {
  const { period } = model;
  const { step_s } = model.timeline;
  const at = (second: number) => clock(second, { from_s: period.start_s, to_s: period.end_s }, step_s);
  let lines: LineSet = LINES[0];
  let slices = slicesOf(model, lines);
  let cursor = slices.busiest;
  const place = h('div', {
    class: 'chart',
    tabindex: 0,
    role: 'slider',
    'aria-label': 'Time: arrow keys move, with Shift they choose a part, Escape shows all',
    'aria-valuemin': 0,
    'aria-valuemax': slices.times.length - 1,
  });
  const chart = createChart(place, step_s, selection, show);
  const legend = h('ul', { class: 'legend' });
  const details = h('details', {}, h('summary', {}, 'As a table'));
  const secondAt = (slice: number) => slices.times[slice] ?? period.start_s;

  /** Shows the slice under the cursor, for eyes and for screen readers. */
  function show(slice: number): void {
    cursor = slice;
    const values = valuesAt(lines, slices, slice);
    const texts = values.map(({ label, value }) => `${label} ${grouped(value)}`);
    place.setAttribute('aria-valuenow', String(slice));
    place.setAttribute('aria-valuetext', `${at(secondAt(slice))} UTC: ${texts.join(', ')}`);
    const items = values.map(({ label, color, value }) =>
      h('li', {}, withProperty(h('i'), '--color', `var(${color})`), `${label} `, h('b', {}, grouped(value))),
    );
    legend.replaceChildren(h('li', { class: 'when' }, at(secondAt(slice))), ...items);
  }

  function moveTo(slice: number): void {
    show(Math.max(0, Math.min(slices.times.length - 1, slice)));
    chart.moveTo(cursor);
  }

  /** Moves the end of the chosen part that is nearer to the cursor; the first time, the part begins at the cursor. */
  function extend(move: number): void {
    const { from_s, to_s } = selection.range;
    const now = secondAt(cursor);
    const isLeft = !selection.isWhole && Math.abs(now - from_s) < Math.abs(now - to_s);
    const fixed = selection.isWhole ? now : isLeft ? to_s : from_s;
    moveTo(cursor + move * Math.max(1, period.snap_s / step_s));
    selection.choose(fixed, secondAt(cursor) + (secondAt(cursor) >= fixed ? step_s : 0));
  }

  function draw(): void {
    chart.draw(slices, lines);
    moveTo(cursor);
    tabulate();
  }

  function tabulate(): void {
    const [summary] = details.children;
    if (!details.open || summary === undefined) return;
    const { from_s, to_s } = selection.range;
    const chosen = [...slices.times.keys()].filter(
      (slice) => secondAt(slice) >= from_s && secondAt(slice) < to_s,
    );
    details.replaceChildren(summary, tableOf(lines, slices, chosen, at));
  }

  place.addEventListener('keydown', (event) => {
    const move = MOVES[event.key];
    if (event.key === 'Escape') selection.clear();
    else if (event.key === 'Enter') selection.choose(secondAt(cursor), secondAt(cursor) + step_s);
    else if (move === undefined) return;
    else if (event.shiftKey) extend(move);
    else moveTo(cursor + move);
    event.preventDefault();
  });
  details.addEventListener('toggle', tabulate);
  const choice = createChoice('Shown', LINES, lines.id, (id) => {
    lines = LINES.find((each) => each.id === id) ?? LINES[0];
    slices = slicesOf(model, lines);
    draw();
  });
  const note = `Each bar is ${stepWords(step_s)}. Drag over a part of the time, or move the sliders, and everything on this page shows that part only.`;
  const tools = h('div', { class: 'tools' }, choice, legend);
  return {
    element: sectionOf('time', 'Over time', note, tools, place, createSliders(period, selection), details),
    /** Draws, once the element has its place. */
    begin(): void {
      draw();
      selection.watch(() => {
        chart.showSelection();
        tabulate();
      });
      redrawOnChange(place, draw);
    },
  };
}

/** Of the width, of the scheme, and for paper, where everything is light. */
function redrawOnChange(place: HTMLElement, draw: () => void): void {
  let width = place.clientWidth;
  new ResizeObserver(() => {
    if (place.clientWidth === width) return;
    width = place.clientWidth;
    draw();
  }).observe(place);
  for (const query of ['(prefers-color-scheme: dark)', 'print'])
    matchMedia(query).addEventListener('change', draw);
}

function valuesAt({ series }: LineSet, { values }: Slices, slice: number) {
  return series.map(({ label, color }, index) => ({ label, color, value: values[index]?.[slice] ?? 0 }));
}

function tableOf(
  lines: LineSet,
  slices: Slices,
  chosen: readonly number[],
  at: (second: number) => string,
): HTMLElement {
  const begin = (slice: number) => slices.times[slice] ?? 0;
  const table = createTable<number>({
    caption: 'Slices of time',
    columns: [
      { title: 'From (UTC)', value: begin, text: (slice) => at(begin(slice)) },
      ...lines.series.map(({ label }, index) => ({
        title: label,
        value: (slice: number) => slices.values[index]?.[slice] ?? 0,
      })),
    ],
    sortBy: 0,
    isDescending: false,
    empty: 'Nothing.',
  });
  table.update(chosen);
  return table.element;
}

function stepWords(step_s: number): string {
  if (step_s < 60) return `${step_s} s`;
  if (step_s < 3600) return `${step_s / 60} min`;
  return step_s < 86_400 ? `${step_s / 3600} h` : `${step_s / 86_400} d`;
}
