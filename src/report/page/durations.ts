/** How long it takes to connect, how long connections live, how long the way is: of all services or of one. */
import { DURATION_KINDS, type ServiceRow } from '../model.ts';
import { recordOf } from '../record.ts';
import type { View } from '../view.ts';
import { serviceName } from '../words.ts';
import { h, newId } from './dom.ts';
import { createHistogram } from './histogram-chart.ts';
import { type Section, sectionOf } from './section.ts';

const CHARTS = {
  connect: {
    title: 'Time to connect',
    help: 'SYN sent to established. A second hill at 1 s or 3 s is lost SYNs.',
  },
  lifetime: {
    title: 'Lifetime',
    help: 'Established to closed. Many very short ones are a program that does not keep its connections.',
  },
  rtt: {
    title: 'Round trip',
    help: 'Smoothed round-trip time when the connection closed. Needs tcp_trace.ko.',
  },
} as const;

export function createDurationsSection(): Section {
  const charts = recordOf(DURATION_KINDS, (kind) => createHistogram(CHARTS[kind].title, CHARTS[kind].help));
  const id = newId('service');
  const select = h('select', { id });
  let view: View | null = null;
  let chosen: ServiceRow | null = null;
  let offered: readonly ServiceRow[] = [];

  function draw(): void {
    if (view === null) return;
    const durations = chosen === null ? view.durations : view.durationsOf.get(chosen);
    for (const kind of DURATION_KINDS) charts[kind].update(durations?.[kind] ?? new Float64Array());
  }

  /** Services with connections of this part of the time, most first. */
  function offer({ services, durationsOf }: View): void {
    offered = [...services]
      .filter(({ row }) => durationsOf.has(row))
      .sort((one, other) => other.sums.closed - one.sums.closed)
      .map(({ row }) => row);
    select.replaceChildren(
      h('option', { value: -1 }, 'All services'),
      ...offered.map((row, index) => h('option', { value: index }, serviceName(row))),
    );
    select.value = String(chosen === null ? -1 : offered.indexOf(chosen));
    if (select.value === '-1') chosen = null;
  }

  select.addEventListener('change', () => {
    chosen = offered[Number(select.value)] ?? null;
    draw();
  });
  const element = sectionOf(
    'durations',
    'How long it takes',
    'The axes are logarithmic. Dashed lines: 50, 95 and 99 of 100 connections are on their left.',
    h('div', { class: 'tools' }, h('label', { for: id }, 'Of '), select),
    h('div', { class: 'histograms' }, ...DURATION_KINDS.map((kind) => charts[kind].element)),
  );
  return {
    id: 'durations',
    title: 'Durations',
    element,
    update(next) {
      view = next;
      offer(next);
      draw();
    },
  };
}
