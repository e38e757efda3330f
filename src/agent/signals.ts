/** Signals that a session listens to. */

export type SignalListener = (signal: NodeJS.Signals) => void;

/**
 * Calls `listener` for each of these signals, which then no longer end the process. To be called before a session
 * opens anything: a signal that ended the process in between would leave the ftrace instance behind.
 *
 * @returns ends the listening
 */
export function onSignals(signals: readonly NodeJS.Signals[], listener: SignalListener): () => void {
  for (const signal of signals) process.on(signal, listener);
  return () => {
    for (const signal of signals) process.off(signal, listener);
  };
}

/**
 * Aborts at the first SIGTERM or SIGINT. A second one of the same ends the process at once, as without a listener.
 *
 * @returns the signal to wait for, and what ends the listening
 */
export function abortOnSignal(): {
  readonly signal: AbortSignal;
  readonly abort: () => void;
  readonly forget: () => void;
} {
  const stopping = new AbortController();
  const abort = () => stopping.abort();
  process.once('SIGTERM', abort).once('SIGINT', abort);
  return {
    signal: stopping.signal,
    abort,
    forget() {
      process.off('SIGTERM', abort).off('SIGINT', abort);
    },
  };
}
