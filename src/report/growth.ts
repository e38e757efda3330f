/** How much the kernel's counters of a host grew between the host_status events of a boot, in whatever order these come. */
import { type Fields, fieldsOf, numberOf, textOf } from './fields.ts';
import type { HostMeasure } from './model.ts';

type CounterMeasure = Exclude<HostMeasure, 'opened' | 'closed' | 'bytes'> &
  `${'kernel' | 'listen' | 'interface'}_${string}`;
type Counters = ReadonlyMap<CounterMeasure, number>;

type Growth = readonly (readonly [CounterMeasure, number])[];

export interface CounterGrowth {
  /**
   * What is known of a host_status that was not known before it. Nothing for the first one of a boot: it is not known since
   * when its counters grew; and for one between two others, whose growth is counted already.
   */
  note(host: number, second: number, fields: Fields): Growth;
}

interface Reading {
  readonly second: number;
  readonly counters: Counters;
}

export function createCounterGrowth(): CounterGrowth {
  /** By host and boot. */
  const known = new Map<string, { earliest: Reading; latest: Reading }>();
  return {
    note(host, second, fields) {
      const boot = `${host} ${textOf(fields['boot_id'])}`;
      const reading = { second, counters: countersOf(fields) };
      const ofBoot = known.get(boot);
      if (ofBoot === undefined) {
        known.set(boot, { earliest: reading, latest: reading });
        return [];
      }
      const { earliest, latest } = ofBoot;
      if (second >= latest.second) {
        ofBoot.latest = reading;
        return growthBetween(latest, reading);
      }
      if (second >= earliest.second) return [];
      ofBoot.earliest = reading;
      return growthBetween(reading, earliest);
    },
  };
}

function growthBetween(before: Reading, after: Reading): Growth {
  return [...after.counters].map(([measure, value]) => {
    const known = before.counters.get(measure);
    return [measure, known === undefined ? 0 : Math.max(0, value - known)];
  });
}

function countersOf(fields: Fields): Counters {
  const counters = fieldsOf(fields['counters']) ?? {};
  const found = new Map<CounterMeasure, number>();
  const note = (measure: CounterMeasure, value: unknown) => {
    const number = numberOf(value);
    if (number !== null) found.set(measure, (found.get(measure) ?? 0) + number);
  };
  note('kernel_segments', counters['Tcp.OutSegs']);
  note('kernel_retransmits', counters['Tcp.RetransSegs']);
  note('listen_drops', counters['TcpExt.ListenDrops']);
  for (const device of Object.values(fieldsOf(fields['interfaces']) ?? {})) {
    note('interface_errors', fieldsOf(device)?.['rx_errors']);
    note('interface_errors', fieldsOf(device)?.['tx_errors']);
  }
  return found;
}
