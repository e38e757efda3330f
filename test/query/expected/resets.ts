/** The questions about resets. */
import { by, grouped, type Sorted, secondText, serviceOf, type Truth, unique } from './facts.ts';

export function resetAnswers({ resets, startMs }: Sorted): Record<string, Truth> {
  const minuteOf = ({ timestamp }: { readonly timestamp: string }): number =>
    Math.floor((Date.parse(timestamp) - startMs) / 60_000);
  return {
    '10-reset-storms': () =>
      grouped(resets, (event) => ({
        peer: event.remote_address ?? 'unknown',
        direction: event.reset_direction ?? '',
      }))
        .map(({ words, all }) => {
          const minutes = grouped(all, (event) => ({ host: event.host, minute: minuteOf(event) }));
          const most = Math.max(...minutes.map((one) => one.all.length));
          const worst = minutes.filter((one) => one.all.length === most).map((one) => one.words.minute);
          return {
            ...{ ...words, resets: all.length, hosts: unique(all, ({ host }) => host) },
            in_worst_minute: most,
            worst_minute: secondText(startMs + Math.min(...worst) * 60_000),
          };
        })
        .sort(
          by(
            (row) => -row.resets,
            (row) => row.peer,
            (row) => row.direction,
          ),
        )
        .slice(0, 50),
    '33-resets-by-stage': () =>
      grouped(resets, (event) => ({
        service: serviceOf(event),
        state: event.state ?? null,
        direction: event.reset_direction ?? '',
      }))
        .map(({ words, all }) => ({
          ...{ ...words, resets: all.length },
          peers: unique(all, ({ remote_address }) => remote_address),
        }))
        .sort(
          by(
            (row) => -row.resets,
            (row) => row.service,
            (row) => row.state ?? '\uffff',
            (row) => row.direction,
          ),
        ),
  };
}
