/** The account of the input: what is in it, what is missing, and what the agents' ledgers say about that. */
import { reasonsOf } from '../headlines/account.ts';
import type { HostAccount, LeakRow, ReportModel } from '../model.ts';
import { dateTime, reasonsText } from '../words.ts';
import { h, nameOf } from './dom.ts';
import { type Section, sectionOf } from './section.ts';
import { createTable } from './table.ts';

export function createAccountSection(model: ReportModel): Section {
  const { account, leaks, input } = model;
  const table = createTable<HostAccount>({
    caption: 'Account by host',
    columns: [
      { title: 'Host', value: ({ host }) => host },
      {
        title: 'Numbered',
        help: 'Events that its agent numbered, from the first to the last number that the input knows',
        value: ({ expected }) => expected,
      },
      { title: 'Here', help: 'Of these, the events in the input, each once', value: ({ seen }) => seen },
      { title: 'Missing', help: 'Numbered, and not here', value: ({ missing }) => missing, isBar: true },
      {
        title: 'By its ledger',
        help: 'What its agent counted as lost, refused or dropped',
        value: (host) => reasonsText(host) || null,
      },
      { title: 'Sessions', help: 'Runs of its agent', value: ({ sessions }) => sessions },
      { title: 'Agent', value: ({ agent_version }) => agent_version },
      {
        title: 'Configuration',
        help: 'Hash of the effective configuration',
        value: ({ config_hash }) => config_hash,
      },
      { title: 'Source', value: ({ source_kind }) => source_kind },
      {
        title: 'Last heard of',
        value: ({ last_s }) => last_s,
        text: ({ last_s, is_silent }) => `${dateTime(last_s)}${is_silent ? ', silent since' : ''}`,
      },
    ],
    sortBy: 3,
    empty: 'No host.',
  });
  table.update(account);
  const leaksTable = createTable<LeakRow>({
    caption: 'Connections in CLOSE_WAIT',
    columns: [
      { title: 'Host', value: ({ host }) => host },
      { title: 'Program', value: ({ comm }) => comm },
      {
        title: 'Port',
        value: ({ local_port }) => local_port,
        text: ({ local_port }) => String(local_port ?? '–'),
      },
      { title: 'Connections', value: ({ connections }) => connections, isBar: true },
      {
        title: 'Oldest since',
        value: ({ oldest_s }) => oldest_s,
        text: ({ oldest_s }) => dateTime(oldest_s),
      },
    ],
    sortBy: 3,
    empty: 'None.',
  });
  leaksTable.update(leaks);
  const note =
    'Each event has a number, so a gap is a missing event. The numbers are of all of the time, whatever part is chosen. Records that the kernel lost (lost.…) never became events and have no number.';
  const isNotNumbered =
    input.host_statuses === 0
      ? 'The input has no host_status events: what is missing before the first and after the last event of a host, and why, cannot be told.'
      : null;
  const element = sectionOf(
    'account',
    'What is missing',
    note,
    isNotNumbered === null ? null : h('p', { class: 'note' }, isNotNumbered),
    factsOf(model),
    h('h3', {}, 'By host'),
    table.element,
    ...(leaks.length === 0
      ? []
      : [
          h('h3', {}, 'Connections that a program does not close (CLOSE_WAIT), at the end'),
          leaksTable.element,
        ]),
  );
  return { id: 'account', title: 'Account', element, update() {} };
}

/** The input in numbers. */
function factsOf({ account, input }: ReportModel): HTMLElement {
  const sum = (of: (host: HostAccount) => number) => account.reduce((total, host) => total + of(host), 0);
  const wrongClocks = Object.values(input.wrong_clocks).reduce((total, count) => total + count, 0);
  const facts: readonly (readonly [string, number])[] = [
    ['lines read', input.lines],
    ['events counted here', input.events],
    ['repeated, left out', input.duplicates],
    ['outside of --since and --until', input.outside],
    ['with a clock that is wrong', wrongClocks],
    ['lines that are no event', input.malformed],
    ['events numbered by the agents', sum(({ expected }) => expected)],
    ['missing', sum(({ missing }) => missing)],
    ...[...reasonsOf(account)],
  ];
  const rows = facts
    .filter(([, count], index) => count > 0 || index < 2)
    .map(([what, count]) => h('div', {}, h('dt', {}, nameOf(what)), h('dd', {}, count.toLocaleString('en'))));
  return h('dl', { class: 'account' }, ...rows);
}
