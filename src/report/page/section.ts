/** The parts of the page below the timeline, and the bar that leads to them. */
import type { ReportModel } from '../model.ts';
import type { View } from '../view.ts';
import { clock } from '../words.ts';
import { type Child, h } from './dom.ts';
import type { Selection } from './selection.ts';

export interface Section {
  readonly id: string;
  readonly title: string;
  readonly element: HTMLElement;
  update(view: View): void;
}

/** A section with its heading, and a sentence on how to read it. */
export function sectionOf(
  id: string,
  title: string,
  note: string,
  ...children: readonly Child[]
): HTMLElement {
  return h(
    'section',
    { id, 'aria-labelledby': `${id}-title` },
    h('h2', { id: `${id}-title` }, title),
    h('p', { class: 'note' }, note),
    ...children,
  );
}

/** Sticks to the top: what part of the time is shown, and links. */
export function createNavigation(
  { period }: ReportModel,
  selection: Selection,
  sections: readonly Section[],
): HTMLElement {
  const text = h('span', { id: 'range', role: 'status' });
  const clear = h('button', { type: 'button' }, 'Show all of the time');
  clear.addEventListener('click', () => selection.clear());
  selection.watch(({ from_s, to_s }) => {
    const span = { from_s: period.start_s, to_s: period.end_s };
    const at = (second: number) => clock(second, span, period.snap_s);
    text.textContent = selection.isWhole ? 'All of the time' : `Only ${at(from_s)} – ${at(to_s)} UTC`;
    clear.hidden = selection.isWhole;
  });
  const links = sections.map(({ id, title }) => h('li', {}, h('a', { href: `#${id}` }, title)));
  return h(
    'nav',
    { 'aria-label': 'Parts of the report' },
    h('div', { class: 'range' }, text, clear),
    h('ul', {}, ...links),
  );
}
