/** How much an event costs the users of a connection, as OTLP's severity. */
import { SeverityNumber } from '@opentelemetry/api';

export interface Severity {
  readonly number: SeverityNumber;
  readonly text: 'DEBUG' | 'INFO' | 'WARN';
}

export const DEBUG: Severity = { number: SeverityNumber.DEBUG, text: 'DEBUG' };
export const INFO: Severity = { number: SeverityNumber.INFO, text: 'INFO' };
export const WARN: Severity = { number: SeverityNumber.WARN, text: 'WARN' };

/** What severity is decided by. */
export interface Impact {
  readonly event: string;
  readonly retransmit_kind?: string | undefined;
  readonly state?: string | null | undefined;
}

/**
 * - WARN: somebody waits or fails. A retransmit after a timeout or of a handshake, one whose kind is not known, a reset
 *   of a connection that was being opened or was open.
 * - INFO: loss that was repaired at once (`fast`, `tlp`), other resets, and what is regular.
 * - DEBUG: changes of state, the most frequent kind.
 */
export function severityOf({ event, retransmit_kind, state }: Impact): Severity {
  switch (event) {
    case 'tcp_state':
      return DEBUG;
    case 'tcp_retransmit':
      return retransmit_kind === 'fast' || retransmit_kind === 'tlp' ? INFO : WARN;
    case 'tcp_reset':
      return state === 'SYN_SENT' || state === 'SYN_RECV' || state === 'ESTABLISHED' ? WARN : INFO;
    default:
      return INFO;
  }
}
