/** Which service is slow to connect, who is reset, whose queue is full, who does not close. */
import { grouped } from '../../shared/text.ts';
import { median } from '../median.ts';
import type { ReportModel } from '../model.ts';
import type { CountedService, View } from '../view.ts';
import { clock, counted, microseconds, name, peerName, percent, serviceName } from '../words.ts';
import type { Headline } from './headline.ts';

export function connectionHeadlines(model: ReportModel, view: View): Headline[] {
  return [
    ...slowServiceHeadlines(view),
    ...resetHeadlines(view),
    ...hostCounterHeadlines(view),
    ...leakHeadlines(model),
  ];
}

/** Percentiles of fewer connections say little. */
const LEAST_CONNECTS = 20;
const SLOW_FACTOR = 3;
/** Nobody waits for less than that, whatever its ratio to others. */
const SLOW_US = 5000;

function slowServiceHeadlines({ services }: View): Headline[] {
  const p95 = ({ spreads }: CountedService) => spreads.connect.p95_us ?? 0;
  const measured = services
    .filter(({ spreads }) => spreads.connect.count >= LEAST_CONNECTS)
    .sort((one, other) => p95(other) - p95(one));
  const [slowest, ...others] = measured;
  if (slowest === undefined || others.length === 0) return [];
  const usual = median(others.map(p95));
  const factor = p95(slowest) / usual;
  if (factor < SLOW_FACTOR || p95(slowest) < SLOW_US) return [];
  const service = serviceName(slowest.row);
  return [
    {
      id: 'slow_service',
      level: 'watch',
      text: `Connecting to ${service} takes up to ${microseconds(p95(slowest))} for 95 of 100 connections; the median of the other services is ${microseconds(usual)}.`,
      facts: {
        service,
        p95_us: p95(slowest),
        others_p95_us: usual,
        connections: slowest.spreads.connect.count,
      },
    },
  ];
}

/** Fewer resets are every day's noise: a closed browser, a health check. */
const LEAST_RESETS = 20;

function resetHeadlines({ peers, total }: View): Headline[] {
  const { resets_sent, resets_received, closed } = total.sums;
  const resets = resets_sent + resets_received;
  if (resets < LEAST_RESETS) return [];
  const ofPeer = ({ sums }: (typeof peers)[number]) => sums.resets_sent + sums.resets_received;
  const [worst] = peers
    .filter(({ row }) => row.ownership !== 'rest')
    .sort((one, other) => ofPeer(other) - ofPeer(one));
  const share = worst === undefined ? 0 : ofPeer(worst) / resets;
  const perClosed =
    closed === 0 ? '' : `, ${grouped(Math.round((1000 * resets) / closed))} per 1,000 closed connections`;
  const isStorm = worst !== undefined && share >= 0.3 && peers.length >= 4;
  const peer = isStorm ? `; ${percent(share)} with ${peerName(worst.row)}` : '';
  return [
    {
      id: 'resets',
      level: isStorm ? 'watch' : 'note',
      text: `${counted(resets, 'reset')} (${grouped(resets_sent)} sent, ${grouped(resets_received)} received)${perClosed}${peer}.`,
      facts: {
        resets,
        sent: resets_sent,
        received: resets_received,
        peer: worst?.row.address ?? null,
        share,
      },
    },
  ];
}

function hostCounterHeadlines({ hosts }: View): Headline[] {
  const told = (
    measure: 'listen_drops' | 'interface_errors',
    id: string,
    words: (count: number, where: string) => string,
  ): Headline[] => {
    const found = hosts
      .filter(({ sums }) => sums[measure] > 0)
      .sort((one, other) => other.sums[measure] - one.sums[measure]);
    const [worst] = found;
    if (worst === undefined) return [];
    const count = found.reduce((sum, { sums }) => sum + sums[measure], 0);
    const where = `${name(worst.row.host)}${found.length > 1 ? ` and ${counted(found.length - 1, 'other host')}` : ''}`;
    return [
      {
        id,
        level: 'watch',
        text: words(count, where),
        facts: { count, hosts: found.slice(0, 20).map(({ row }) => row.host) },
      },
    ];
  };
  return [
    ...told(
      'listen_drops',
      'listen_drops',
      (count, where) =>
        `${counted(count, 'connection')} ${count === 1 ? 'was' : 'were'} dropped by full listen queues on ${where}: the program accepts too slowly.`,
    ),
    ...told(
      'interface_errors',
      'interface_errors',
      (count, where) =>
        `${counted(count, 'interface error')} on ${where}: look at cables, optics and network cards.`,
    ),
  ];
}

function leakHeadlines({ leaks, period }: ReportModel): Headline[] {
  const total = leaks.reduce((sum, { connections }) => sum + connections, 0);
  const [worst] = leaks;
  if (worst === undefined || total < 10) return [];
  const program = `${name(worst.comm ?? 'a program')}${worst.local_port === null ? '' : ` on port ${worst.local_port}`}`;
  const hosts = new Set(leaks.map(({ host }) => host));
  const where =
    hosts.size > 1
      ? `on ${counted(hosts.size, 'host')}, most by ${program} on ${name(worst.host)}`
      : `of ${program} on ${name(worst.host)}`;
  const oldest_s = leaks.reduce((oldest, leak) => Math.min(oldest, leak.oldest_s), worst.oldest_s);
  const span = { from_s: period.start_s, to_s: period.end_s };
  return [
    {
      id: 'close_wait',
      level: 'watch',
      text: `${counted(total, 'connection')} ${where} wait in CLOSE_WAIT, the oldest since ${clock(oldest_s, span)} UTC: the peer has closed and the program has not.`,
      facts: { connections: total, hosts: [...hosts].slice(0, 20), program },
    },
  ];
}
