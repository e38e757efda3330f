/** A choice of one of a few, as a group of radio buttons. */
import { h, newId } from './dom.ts';

export interface Option<Id extends string> {
  readonly id: Id;
  readonly label: string;
}

export function createChoice<Id extends string>(
  legend: string,
  options: readonly Option<Id>[],
  chosen: Id,
  onChange: (id: Id) => void,
): HTMLFieldSetElement {
  const group = newId('choice');
  return h(
    'fieldset',
    { class: 'choice' },
    h('legend', { class: 'hidden' }, legend),
    ...options.map(({ id, label }) => {
      const input = h('input', { type: 'radio', name: group, value: id, checked: id === chosen });
      input.addEventListener('change', () => onChange(id));
      return h('label', {}, input, h('span', {}, label));
    }),
  );
}
