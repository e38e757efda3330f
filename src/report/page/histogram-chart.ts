/** A histogram of durations, in SVG: the axis is logarithmic, and percentiles are marked. */
import { grouped } from '../../shared/text.ts';
import { BUCKETS, bucketStartUs, percentileUs } from '../histogram.ts';
import { microseconds, percent } from '../words.ts';
import { h, s } from './dom.ts';
import { createTable } from './table.ts';

const WIDTH = 360;
const HEIGHT = 150;
const AXIS = 22;
const TOP = 18;
/** Times that people know. */
const TICKS_US = [
  1, 10, 100, 1000, 10_000, 100_000, 1_000_000, 10_000_000, 60_000_000, 600_000_000, 3_600_000_000,
];
const MARKS = [0.5, 0.95, 0.99];
/** Marks nearer to each other than this would lie over one another. */
const MARK_DISTANCE = 26;

export function createHistogram(title: string, help: string) {
  const chart = h('div', { class: 'histogram' });
  const table = createTable<{ bucket: number; count: number; share: number }>({
    caption: `${title}: histogram`,
    columns: [
      {
        title: 'From',
        value: ({ bucket }) => bucketStartUs(bucket),
        text: ({ bucket }) => microseconds(bucketStartUs(bucket)),
      },
      {
        title: 'To',
        value: ({ bucket }) => bucketStartUs(bucket + 1),
        text: ({ bucket }) => microseconds(bucketStartUs(bucket + 1)),
      },
      { title: 'Connections', value: ({ count }) => count, isBar: true },
      { title: 'Up to here', value: ({ share }) => share, text: ({ share }) => percent(share) },
    ],
    sortBy: 0,
    isDescending: false,
    empty: 'No connection in this part of the time.',
  });
  const details = h('details', {}, h('summary', {}, 'As a table'), table.element);
  const element = h(
    'figure',
    {},
    h('figcaption', {}, h('h3', {}, title), h('p', { class: 'note' }, help)),
    chart,
    details,
  );
  return {
    element,
    update(counts: Float64Array): void {
      chart.replaceChildren(drawingOf(title, counts));
      const total = counts.reduce((sum, count) => sum + count, 0);
      let before = 0;
      const rows = [...counts].map((count, bucket) => {
        before += count;
        return { bucket, count, share: before / total };
      });
      table.update(rows.filter(({ count }) => count > 0));
    },
  };
}

function drawingOf(title: string, counts: Float64Array): Element {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total === 0) return h('p', { class: 'empty' }, 'Nothing in this part of the time.');
  const used = [...counts.keys()].filter((bucket) => (counts[bucket] ?? 0) > 0);
  const first = Math.max(0, (used[0] ?? 0) - 1);
  const last = Math.min(BUCKETS, (used.at(-1) ?? 0) + 2);
  const highest = counts.reduce((top, count) => Math.max(top, count), 0);
  const x = (bucket: number) => (WIDTH * (bucket - first)) / (last - first);
  const y = (count: number) => TOP + (HEIGHT - TOP) * (1 - count / highest);
  const marks = MARKS.map((share) => ({ share, us: percentileUs(counts, share) ?? 1 }));
  const words = marks.map(({ share, us }) => `${percent(share)} within ${microseconds(us)}`).join(', ');
  const bars = used.map((bucket) => {
    const count = counts[bucket] ?? 0;
    const text = `${microseconds(bucketStartUs(bucket))} to ${microseconds(bucketStartUs(bucket + 1))}: ${grouped(count)}`;
    const width = Math.max(1, x(bucket + 1) - x(bucket) - 1);
    return s(
      'rect',
      {
        class: 'bar',
        x: x(bucket),
        width,
        y: Math.min(y(count), HEIGHT - 1),
        height: Math.max(1, HEIGHT - y(count)),
        rx: 1,
      },
      s('title', {}, text),
    );
  });
  const bucketAt = (us: number) => Math.log2(us) * 4;
  const ticks = TICKS_US.filter((us) => bucketAt(us) > first && bucketAt(us) < last).map((us) =>
    s(
      'g',
      { class: 'tick' },
      s('line', { x1: x(bucketAt(us)), x2: x(bucketAt(us)), y1: HEIGHT, y2: HEIGHT + 4 }),
      s(
        'text',
        { x: x(bucketAt(us)), y: HEIGHT + 16, 'text-anchor': anchorAt(x(bucketAt(us))) },
        microseconds(us),
      ),
    ),
  );
  let lastX = Number.NEGATIVE_INFINITY;
  const lines = marks.map(({ share, us }) => {
    const at = x(bucketAt(us));
    const isFar = at - lastX > MARK_DISTANCE;
    if (isFar) lastX = at;
    const label = isFar
      ? s('text', { x: at, y: TOP - 7, 'text-anchor': anchorAt(at) }, `p${share * 100}`)
      : null;
    return s('g', { class: 'mark' }, s('line', { x1: at, x2: at, y1: TOP - 3, y2: HEIGHT }), label);
  });
  const label = `${title}: ${grouped(total)} connections, ${words}`;
  const drawing = s(
    'svg',
    { viewBox: `0 0 ${WIDTH} ${HEIGHT + AXIS}`, role: 'img', 'aria-label': label },
    ...bars,
    s('line', { class: 'axis', x1: 0, x2: WIDTH, y1: HEIGHT, y2: HEIGHT }),
    ...ticks,
    ...lines,
  );
  return h('div', {}, drawing, h('p', { class: 'words' }, `${grouped(total)} connections: ${words}`));
}

/** Text near an edge is not cut by it. */
function anchorAt(x: number): string {
  if (x > WIDTH - MARK_DISTANCE) return 'end';
  return x < MARK_DISTANCE ? 'start' : 'middle';
}
