/** The page of a report: everything is made from the model, for the part of the time that is chosen. */
import type { ReportModel } from '../model.ts';
import { type View, viewOf } from '../view.ts';
import { createAccountSection } from './account.ts';
import { h } from './dom.ts';
import { createDurationsSection } from './durations.ts';
import { createHead } from './head.ts';
import { createMatrixSection } from './matrix.ts';
import { createNavigation, type Section } from './section.ts';
import { createSelection } from './selection.ts';
import { createTables } from './tables.ts';
import { createTimeline } from './timeline.ts';

function start(): void {
  const data = document.getElementById('model')?.textContent ?? '';
  // ktc report wrote it: page.ts.
  const model = JSON.parse(data) as ReportModel;
  const root = document.getElementById('report');
  if (root === null) return;
  const selection = createSelection(model.period);
  const { peers, hosts, services, resets } = createTables(model);
  const head = createHead(model);
  const timeline = createTimeline(model, selection);
  const sections: readonly (Section | null)[] = [
    ...[peers, createMatrixSection(model), hosts, services],
    ...[createDurationsSection(), resets, createAccountSection(model)],
  ];
  const shown = sections.filter((section) => section !== null);
  root.append(
    head.element,
    createNavigation(model, selection, shown),
    timeline.element,
    ...shown.map(({ element }) => element),
    foot(model),
  );
  timeline.begin();
  selection.watch((range) => {
    const view: View = viewOf(model, range);
    head.update(view, selection.isWhole);
    for (const section of shown) section.update(view);
  });
  document.documentElement.dataset['ready'] = '';
}

function foot({ ktc_version, generated_at, input }: ReportModel): HTMLElement {
  const made = `Made by ktc ${ktc_version} at ${generated_at.slice(0, 19).replace('T', ' ')} UTC from ${input.sources.join(', ')}. All times are UTC. A connection whose two ends are both watched is counted at each end.`;
  return h('footer', {}, made);
}

start();
