/** The questions to the sums that outlive the events. */
import { again, by, grouped, ofKind, type Sorted, serviceOf, sum, type Truth } from './facts.ts';

export function sumAnswers({ events }: Sorted): Record<string, Truth> {
  const tcp = events.filter(({ event }) => event !== 'host_status');
  return {
    '34-traffic-of-services': () =>
      grouped(tcp, (event) => ({
        hour: `${event.timestamp.slice(0, 13).replace('T', ' ')}:00:00`,
        service: serviceOf(event),
      }))
        .map(({ words, all }) => ({
          ...words,
          connected: ofKind(all, 'tcp_connect').length,
          accepted: ofKind(all, 'tcp_accept').length,
          retransmitted: again(all),
          resets: ofKind(all, 'tcp_reset').length,
        }))
        .sort(
          by(
            (row) => row.hour,
            (row) => row.service,
          ),
        ),
    '35-busiest-pairs': () =>
      grouped(tcp, ({ host, remote_address }) => ({ host, peer: remote_address ?? 'unknown' }))
        .map(({ words, all }) => {
          const ended = ofKind(all, 'tcp_life');
          return {
            ...words,
            sent: sum(ended, (event) => event.bytes_sent ?? 0),
            received: sum(ended, (event) => event.bytes_received ?? 0),
            connections: ended.length,
            retransmitted: again(all),
          };
        })
        .sort(
          by(
            (row) => -(row.sent + row.received),
            (row) => row.host,
            (row) => row.peer,
          ),
        )
        .slice(0, 50),
  };
}
