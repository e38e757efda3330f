/** Counts what events say, by time: cubes and what their rows are. */
import { type Cube, createCube } from './cube.ts';
import { type Fields, numberOf, textOf } from './fields.ts';
import { BUCKETS, bucketOf } from './histogram.ts';
import { createLeaks, type Leaks } from './leaks.ts';
import {
  DURATION_KINDS,
  type DurationKind,
  HOST_MEASURES,
  type HostMeasure,
  MEASURES,
  type Measure,
} from './model.ts';
import { createOrigins, type Origins } from './origins.ts';
import { retransmitsOf } from './retransmits.ts';

/** The cubes; `origins` tells what their rows are. */
export interface Cubes {
  readonly timeline: Cube<Measure>;
  readonly hosts: Cube<HostMeasure>;
  readonly links: Cube<Measure>;
  readonly services: Cube<Measure>;
  /** Rows are `service * DURATION_ROWS + kind * BUCKETS + bucket`. */
  readonly durations: Cube<'count'>;
  readonly resets: Cube<'count'>;
  readonly origins: Origins;
  readonly leaks: Leaks;
}

export const DURATION_ROWS = DURATION_KINDS.length * BUCKETS;

/** An event, and what every event says about where it comes from: seconds since 1970, numbers of `origins`. */
export interface Origin {
  readonly fields: Fields;
  readonly second: number;
  readonly host: number;
  readonly place: number;
}

/** Counts that are kept in memory, 16 bytes and some room each. */
const MAX_COUNTS = { small: 10_000, medium: 300_000, links: 700_000 };

export function createCubes(): Cubes {
  return {
    timeline: createCube({ measures: MEASURES, maxCounts: MAX_COUNTS.small }),
    hosts: createCube({ measures: HOST_MEASURES, maxCounts: MAX_COUNTS.medium }),
    links: createCube({ measures: MEASURES, maxCounts: MAX_COUNTS.links }),
    services: createCube({ measures: MEASURES, maxCounts: MAX_COUNTS.medium }),
    durations: createCube({ measures: ['count'], maxCounts: MAX_COUNTS.medium }),
    resets: createCube({ measures: ['count'], maxCounts: MAX_COUNTS.small }),
    origins: createOrigins(),
    leaks: createLeaks(),
  };
}

/** Counts one event of TCP, at every place that it belongs to. */
export function countEvent(cubes: Cubes, event: string, origin: Origin): void {
  const { timeline, hosts, links, services, origins } = cubes;
  const { fields, second, host } = origin;
  const link = origins.linkOf(origin);
  const service = origins.serviceOf(origin);
  const count = (measure: Measure, value = 1): void => {
    timeline.add(0, measure, second, value);
    hosts.add(host, measure, second, value);
    links.add(link, measure, second, value);
    services.add(service, measure, second, value);
  };
  switch (event) {
    case 'tcp_retransmit':
    case 'tcp_retransmit_summary':
      for (const [kind, segments] of retransmitsOf(fields)) count(kind, segments);
      return;
    case 'tcp_connect_latency':
      countDuration(cubes, service, 'connect', second, fields['latency_us']);
      return count('opened');
    case 'tcp_accept':
      return count('opened');
    case 'tcp_life':
      countDuration(cubes, service, 'lifetime', second, fields['duration_us']);
      countDuration(cubes, service, 'rtt', second, fields['srtt_us']);
      return countLife(fields, count);
    case 'tcp_reset': {
      const direction = fields['reset_direction'] === 'sent' ? 'sent' : 'received';
      cubes.resets.add(origins.resetOf(direction, textOf(fields['state'])), 'count', second, 1);
      return count(`resets_${direction}`);
    }
    case 'tcp_state':
      return noteState(cubes, origin);
  }
}

function countDuration(
  { durations }: Cubes,
  service: number,
  kind: DurationKind,
  second: number,
  microseconds: unknown,
): void {
  const value = numberOf(microseconds);
  if (value === null) return;
  const row = service * DURATION_ROWS + DURATION_KINDS.indexOf(kind) * BUCKETS + bucketOf(value);
  durations.add(row, 'count', second, 1);
}

function countLife(fields: Fields, count: (measure: Measure, value?: number) => void): void {
  count('closed');
  count('bytes', (numberOf(fields['bytes_sent']) ?? 0) + (numberOf(fields['bytes_received']) ?? 0));
  const segments = numberOf(fields['segments_sent']);
  // Only where both are known can a rate be made of them.
  if (segments === null) return;
  count('segments', segments);
  count('segments_again', numberOf(fields['retransmits']) ?? 0);
}

function noteState({ leaks, origins }: Cubes, { fields, second, host }: Origin): void {
  const connection = `${host} ${textOf(fields['connection_id'])}`;
  if (fields['old_state'] === 'CLOSE_WAIT') leaks.leave(connection, second);
  if (fields['new_state'] !== 'CLOSE_WAIT') return;
  const where = {
    host: origins.nameOf(host),
    comm: fields['pid_origin'] === 'owner' ? textOf(fields['comm']) : null,
    local_port: fields['direction'] === 'passive' ? numberOf(fields['local_port']) : null,
  };
  leaks.enter(connection, where, second);
}
