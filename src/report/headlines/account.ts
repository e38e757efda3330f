/** What is missing in the input, by the agents' own account, and what of it could not be used. */
import { grouped } from '../../shared/text.ts';
import type { HostAccount, ReportModel } from '../model.ts';
import { clock, counted, name, percent } from '../words.ts';
import type { Headline } from './headline.ts';

export function accountHeadlines(model: ReportModel): Headline[] {
  return [
    missingHeadline(model),
    ...kernelHeadlines(model),
    ...silentHeadlines(model),
    ...inputHeadlines(model),
  ];
}

/** What the ledgers say by reason, summed over hosts. */
export function reasonsOf(account: readonly HostAccount[]): Map<string, number> {
  const reasons = new Map<string, number>();
  for (const host of account)
    for (const [reason, count] of Object.entries(host.reasons))
      reasons.set(reason, (reasons.get(reason) ?? 0) + count);
  return new Map([...reasons].sort(([, one], [, other]) => other - one));
}

function named(reasons: readonly (readonly [string, number])[]): string {
  return reasons.map(([reason, count]) => `${grouped(count)} ${name(reason)}`).join(', ');
}

function missingHeadline({ account, input }: ReportModel): Headline {
  const expected = account.reduce((sum, host) => sum + host.expected, 0);
  const missing = account.reduce((sum, host) => sum + host.missing, 0);
  const hosts = account.filter((host) => host.missing > 0).map(({ host }) => host);
  const dropped = [...reasonsOf(account)].filter(([reason]) => !reason.startsWith('lost.'));
  const facts = { expected, missing, hosts: hosts.slice(0, 20), ...Object.fromEntries(dropped) };
  if (missing === 0) {
    const hosts = counted(account.length, 'host');
    const text =
      input.host_statuses > 0
        ? `Nothing is missing: all that ${hosts} numbered is here (${counted(expected, 'event')}).`
        : `No number is missing between the first and the last event of ${account.length === 1 ? 'the host' : `each of ${hosts}`} (${counted(expected, 'event')}); without host_status events, what was before and after is not known.`;
    return { id: 'missing', level: 'good', text, facts };
  }
  const [first] = hosts;
  const of = hosts.length === 1 ? `all of host ${name(first ?? '')}` : `of ${counted(hosts.length, 'host')}`;
  const why =
    dropped.length === 0 ? 'the ledgers in the input name no reason' : `the ledgers name ${named(dropped)}`;
  return {
    id: 'missing',
    level: 'watch',
    text: `${grouped(missing)} of ${grouped(expected)} numbered events are missing (${percent(missing / expected)}), ${of}; ${why}.`,
    facts,
  };
}

/** Records that never became events have no number: only the ledgers know of them. */
function kernelHeadlines({ account }: ReportModel): Headline[] {
  const lost = [...reasonsOf(account)].filter(([reason]) => reason.startsWith('lost.'));
  const records = lost.reduce((sum, [, count]) => sum + count, 0);
  if (records === 0) return [];
  const hosts = account.filter(({ reasons }) =>
    Object.keys(reasons).some((reason) => reason.startsWith('lost.')),
  );
  const where =
    hosts.length === 1 ? `on ${name(hosts[0]?.host ?? '')}` : `on ${counted(hosts.length, 'host')}`;
  return [
    {
      id: 'lost_records',
      level: 'watch',
      text: `${counted(records, 'kernel record')} ${where} never became events: ${named(lost)}.`,
      facts: { records, hosts: hosts.slice(0, 20).map(({ host }) => host), ...Object.fromEntries(lost) },
    },
  ];
}

function silentHeadlines({ account, period }: ReportModel): Headline[] {
  const silent = account.filter(({ is_silent }) => is_silent).sort((one, other) => one.last_s - other.last_s);
  const [first] = silent;
  if (first === undefined) return [];
  const more = silent.length > 1 ? `, and ${counted(silent.length - 1, 'other host')} since later` : '';
  return [
    {
      id: 'silent_hosts',
      level: 'watch',
      text: `Host ${name(first.host)} has been silent since ${clock(first.last_s, { from_s: period.start_s, to_s: period.end_s })} UTC${more}.`,
      facts: { hosts: silent.slice(0, 20).map(({ host }) => host), count: silent.length },
    },
  ];
}

function inputHeadlines({ input }: ReportModel): Headline[] {
  const clocks = Object.entries(input.wrong_clocks);
  const wrong = clocks.reduce((sum, [, count]) => sum + count, 0);
  const parts = [
    wrong === 0 ? '' : `${counted(wrong, 'event')} of ${counted(clocks.length, 'host')} whose clock is wrong`,
    input.malformed === 0
      ? ''
      : `${counted(input.malformed, 'line')} that ${input.malformed === 1 ? 'is no event' : 'are no events'}`,
  ].filter((part) => part !== '');
  const unused: Headline[] =
    parts.length === 0
      ? []
      : [
          {
            id: 'not_used',
            level: 'watch',
            text: `Not used: ${parts.join(', and ')}.`,
            facts: {
              wrong_clocks: wrong,
              malformed: input.malformed,
              hosts: clocks.slice(0, 20).map(([host]) => host),
            },
          },
        ];
  const problems = input.problems.map(
    (text): Headline => ({ id: 'input_problem', level: 'watch', text: name(text), facts: {} }),
  );
  return [...unused, ...problems];
}
