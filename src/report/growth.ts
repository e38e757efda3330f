/** How much the kernel's counters of a host grew between two host_status events of the same boot. */
import { type Fields, fieldsOf, numberOf, textOf } from './fields.ts';
import type { HostMeasure } from './model.ts';

type CounterMeasure = Exclude<HostMeasure, 'opened' | 'closed' | 'bytes'> &
  `${'kernel' | 'listen' | 'interface'}_${string}`;
type Counters = ReadonlyMap<CounterMeasure, number>;

export interface CounterGrowth {
  /** Nothing for the first host_status of a host or boot: it is not known since when its counters grew. */
  since(host: number, fields: Fields): readonly (readonly [CounterMeasure, number])[];
}

export function createCounterGrowth(): CounterGrowth {
  const last = new Map<number, { readonly boot: string | null; readonly counters: Counters }>();
  return {
    since(host, fields) {
      const boot = textOf(fields['boot_id']);
      const counters = countersOf(fields);
      const before = last.get(host);
      last.set(host, { boot, counters });
      if (before === undefined || before.boot !== boot) return [];
      return [...counters].map(([measure, value]) => {
        const known = before.counters.get(measure);
        return [measure, known === undefined ? 0 : Math.max(0, value - known)];
      });
    },
  };
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
