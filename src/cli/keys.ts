/** Single keys of a person at a terminal. */

/** What Ctrl-C and Ctrl-\ send, which the terminal makes no signals of while it gives single keys. */
const SIGNAL_KEYS: ReadonlyMap<string, NodeJS.Signals> = new Map([
  ['\x03', 'SIGINT'],
  ['\x1c', 'SIGQUIT'],
]);

/** Calls `onKey` with each key until the function that it returns is called. Without a terminal it does nothing. */
export function listenForKeys(onKey: (key: string) => void): () => void {
  const { stdin } = process;
  if (!stdin.isTTY) return () => {};
  const onData = (data: Buffer): void => {
    for (const key of data.toString('latin1')) {
      const signal = SIGNAL_KEYS.get(key);
      if (signal === undefined) onKey(key);
      else process.kill(process.pid, signal);
    }
  };
  stdin.setRawMode(true);
  stdin.on('data', onData);
  return () => {
    stdin.off('data', onData);
    stdin.setRawMode(false);
    // It would keep the process alive.
    stdin.pause();
  };
}
