/** Events as lines, with the fields that a report reads. */

export interface TestHost {
  readonly name: string;
  readonly address: string;
  readonly labels?: Readonly<Record<string, string>>;
}

const START_MS = Date.UTC(2026, 10, 24, 14);

/** RFC 3339 of a time in seconds after 14:00. */
export function timeAt(second: number): string {
  return `${new Date(START_MS + second * 1000).toISOString().slice(0, -1)}000000Z`;
}

export const START_S = START_MS / 1000;

/** Numbers the events of one host, as its agent does. */
export function createTestAgent({ name, address, labels = {} }: TestHost) {
  let ordinal = 0;
  const id = () => `5289726d-aaaa-bbbb-cccc-${name}-743fc034-0-${ordinal++}`;
  const envelope = (event: string, second: number) => ({
    ...{
      schema_version: 1,
      event_id: id(),
      event,
      timestamp: timeAt(second),
      host: name,
      host_id: name,
      boot_id: 'b',
    },
    ...{ kernel: '3.10.0', labels, cpu: 0 },
  });
  const line = (event: object) => JSON.stringify(event);
  const connection = (peer: string, port: number) => ({
    ...{ pid: 1, comm: 'nginx', pid_origin: 'owner', local_address: address, local_port: 40_000 },
    ...{ remote_address: peer, remote_port: port, connection_id: `${name}-${ordinal}`, direction: 'active' },
  });
  return {
    /** An event of TCP; `values` override and add. */
    tcp: (event: string, second: number, peer: string, values: object = {}) =>
      line({ ...envelope(event, second), ...connection(peer, 5432), ...values }),
    retransmit: (second: number, peer: string, kind = 'rto') =>
      line({
        ...envelope('tcp_retransmit', second),
        ...connection(peer, 5432),
        retransmit_kind: kind,
        state: 'ESTABLISHED',
      }),
    life: (second: number, peer: string, values: object = {}) =>
      line({
        ...envelope('tcp_life', second),
        ...connection(peer, 5432),
        ...{
          duration_us: 1000,
          bytes_sent: 100,
          bytes_received: 200,
          segments_sent: 10,
          retransmits: 0,
          srtt_us: 300,
        },
        ...values,
      }),
    status(second: number, values: object = {}) {
      const ordinals = { 0: ordinal };
      const own = {
        agent_version: '0.1.0',
        source_kind: 'module',
        config_hash: 'c0',
        addresses: [address],
        ordinals,
      };
      return line({
        ...envelope('host_status', second),
        ...own,
        counters: {},
        interfaces: {},
        ledger: {},
        ...values,
      });
    },
    /** Numbers an event that nobody delivers. */
    skip(count = 1): void {
      ordinal += count;
    },
  };
}
