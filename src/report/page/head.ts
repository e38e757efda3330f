/** The top of the page: what was read, the headlines, and the main figures. */
import { grouped } from '../../shared/text.ts';
import { headlinesOf } from '../headlines.ts';
import type { ReportModel } from '../model.ts';
import { spreadOf, type View } from '../view.ts';
import { clock, counted, dateTime, microseconds, percent, short } from '../words.ts';
import { UNKNOWN } from './columns.ts';
import { copyButton } from './copy.ts';
import { h } from './dom.ts';

const LEVEL_WORDS = { bad: 'Act', watch: 'Look', good: 'Good', note: 'Note' } as const;

export function createHead(model: ReportModel) {
  const { period, input, account } = model;
  const span = spanText(model);
  document.title = `TCP report, ${span}`;
  const list = h('ul', { class: 'headlines' });
  const figures = h('dl', { class: 'figures' });
  const scope = h('p', { class: 'scope' });
  let sentences = '';
  const copy = copyButton('Copy sentences', () => `TCP report, ${span}\n${sentences}`);
  const sources =
    input.sources.length > 3 ? counted(input.sources.length, 'source') : input.sources.join(', ');
  const facts = [counted(account.length, 'host'), counted(input.events, 'event'), sources];
  const element = h(
    'header',
    {},
    h('p', { class: 'kicker' }, 'TCP report'),
    h('h1', {}, span),
    h(
      'p',
      { class: 'facts' },
      facts.join(' · '),
      input.duplicates === 0 ? null : ` · ${counted(input.duplicates, 'repeated event')} left out`,
    ),
    h(
      'div',
      { class: 'panel' },
      h('div', { class: 'panel-head' }, h('h2', {}, 'In short'), copy),
      scope,
      list,
    ),
    figures,
  );
  return {
    element,
    update(view: View, isWhole: boolean): void {
      const { from_s, to_s } = view.range;
      const headlines = headlinesOf(model, view);
      const whole = { from_s: period.start_s, to_s: period.end_s };
      const at = (second: number) => clock(second, whole, period.snap_s);
      scope.textContent = isWhole
        ? ''
        : `Of ${at(from_s)} – ${at(to_s)} UTC; what is said about missing events and silent hosts is of all of the time.`;
      scope.hidden = isWhole;
      sentences = headlines.map(({ text }) => `• ${text}`).join('\n');
      list.replaceChildren(
        ...headlines.map(({ id, level, text }) =>
          h(
            'li',
            { class: `level-${level}`, 'data-id': id },
            h('strong', {}, LEVEL_WORDS[level]),
            h('span', {}, text),
          ),
        ),
      );
      figures.replaceChildren(...figuresOf(model, view));
    },
  };
}

/** `2026-11-24 11:30 – 13:29 UTC`: seconds only where the whole is short, the second date only where it is another one. */
function spanText({ period: { first_s, last_s } }: ReportModel): string {
  const length = last_s - first_s < 600 ? 19 : 16;
  const [first, last] = [first_s, last_s].map((second) => dateTime(second).slice(0, length));
  const end = first?.slice(0, 10) === last?.slice(0, 10) ? last?.slice(11) : last;
  return first === last ? `${first} UTC` : `${first} – ${end} UTC`;
}

function figuresOf({ account }: ReportModel, view: View): HTMLElement[] {
  const { total, peers } = view;
  const { resets_sent, resets_received, closed } = total.sums;
  const connect = spreadOf(view.durations.connect);
  const missing = account.reduce((sum, host) => sum + host.missing, 0);
  const figure = (title: string, value: string, more: string) =>
    h('div', {}, h('dt', {}, title), h('dd', {}, h('b', {}, value), h('small', {}, more)));
  const [median, most] = [connect.p50_us, connect.p95_us];
  return [
    figure(
      'Retransmits',
      short(total.retransmits),
      total.rate === null ? 'segments sent again' : `${percent(total.rate)} of segments`,
    ),
    figure(
      'Peers',
      grouped(peers.length),
      `${grouped(peers.filter(({ retransmits }) => retransmits > 0).length)} with retransmits`,
    ),
    figure('Connections closed', short(closed), `${short(total.sums.opened)} opened`),
    median === null || most === null
      ? figure('Time to connect', UNKNOWN, 'none was measured')
      : figure('Time to connect', microseconds(median), `95 % within ${microseconds(most)}`),
    figure(
      'Resets',
      short(resets_sent + resets_received),
      `${short(resets_sent)} sent, ${short(resets_received)} received`,
    ),
    figure('Missing events', short(missing), missing === 0 ? 'every number is here' : 'see the account'),
  ];
}
