/** What the service manager is told about a run: that it is ready, that it stops, and in between that it moves. */
import type { Logger } from 'pino';
import type { TelemetrySnapshot } from '../telemetry/snapshot.ts';
import type { ServiceManager } from './service-manager.ts';

/** So often within the interval of the watchdog: two may be missed. */
const TOLD_PER_INTERVAL = 3;

type Look = Pick<TelemetrySnapshot, 'source' | 'ledger'>;

/** Null in a replay, which the kernel does not fill. */
function unreadBytes({ source }: Look): number | null {
  let sum = 0;
  for (const { unread_bytes } of source.cpus) {
    if (unread_bytes === null) return null;
    sum += unread_bytes;
  }
  return sum;
}

/**
 * Whether the source has stood still between two looks: the kernel has recorded more, records were waiting before, and
 * none was read, although the pipeline has room.
 */
export function standsStill(before: Look, now: Look): boolean {
  const [waiting, waitingNow] = [unreadBytes(before), unreadBytes(now)];
  if (waiting === null || waitingNow === null || now.source.paused) return false;
  return waiting > 0 && waitingNow > waiting && now.ledger.read === before.ledger.read;
}

export interface Supervision {
  /** The source is open and the sinks are opening. */
  ready(): void;
  /** From now on only the event loop has to move: the source is being closed. */
  stopping(): void;
  close(): void;
}

export interface SupervisionOptions {
  /** Null where nobody supervises: then nothing happens. */
  readonly manager: ServiceManager | null;
  readonly snapshot: () => Look;
  readonly log: Pick<Logger, 'warn' | 'error'>;
}

export function supervise({ manager, snapshot, log }: SupervisionOptions): Supervision {
  if (manager === null) return { ready() {}, stopping() {}, close() {} };
  let timer: NodeJS.Timeout | undefined;
  let last: Look | null = null;

  function tell(state: string): void {
    const told = manager?.tell(state);
    if (told?.ok === false) log.warn({}, told.problem);
  }

  /** Silence is what makes the service manager end this process, and start another. */
  function tellAlive(): void {
    const before = last;
    if (before !== null) {
      // The snapshot's numbers change on: those that are compared are kept.
      const now = snapshot();
      last = { source: now.source, ledger: { ...now.ledger } };
      if (standsStill(before, now))
        return log.error(
          {},
          'the source reads nothing although records wait: systemd is not told that it is alive',
        );
    }
    tell('WATCHDOG=1');
  }

  return {
    ready() {
      tell('READY=1');
      if (manager.watchdogMs === null) return;
      const { source, ledger } = snapshot();
      last = { source, ledger: { ...ledger } };
      timer = setInterval(tellAlive, manager.watchdogMs / TOLD_PER_INTERVAL);
    },
    stopping() {
      last = null;
      tell('STOPPING=1');
    },
    close() {
      clearInterval(timer);
    },
  };
}
