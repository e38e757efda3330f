/** Two sliders for the begin and the end of the chosen part: for fingers, keyboards and screen readers. */
import type { Period } from '../model.ts';
import { clock } from '../words.ts';
import { h } from './dom.ts';
import type { Selection } from './selection.ts';

export function createSliders(period: Period, selection: Selection): HTMLElement {
  const { start_s, end_s, snap_s } = period;
  const span = { from_s: start_s, to_s: end_s };
  const slider = (label: string) =>
    h('input', { type: 'range', min: start_s, max: end_s, step: snap_s, 'aria-label': label });
  const from = slider('Begin of the part that is shown');
  const to = slider('End of the part that is shown');
  const texts = [h('output'), h('output')] as const;

  from.addEventListener('change', () =>
    selection.choose(Number(from.value), Math.max(Number(from.value) + snap_s, Number(to.value))),
  );
  to.addEventListener('change', () =>
    selection.choose(Math.min(Number(from.value), Number(to.value) - snap_s), Number(to.value)),
  );
  selection.watch(({ from_s, to_s }) => {
    for (const [input, text, second] of [
      [from, texts[0], from_s],
      [to, texts[1], to_s],
    ] as const) {
      input.value = String(second);
      text.textContent = clock(second, span, snap_s);
      input.setAttribute('aria-valuetext', `${text.textContent} UTC`);
    }
  });
  return h(
    'div',
    { class: 'sliders' },
    h('label', {}, 'from ', texts[0], from),
    h('label', {}, 'to ', texts[1], to),
  );
}
