/**
 * Keeps the agent running when a library throws outside of every call (in a timer, in a socket's handler). The
 * asynchronous context tells the errors of such code from the agent's own bugs, which still end the process.
 */
import { AsyncLocalStorage } from 'node:async_hooks';

type FaultHandler = (fault: unknown) => void;

const contained = new AsyncLocalStorage<FaultHandler>();
let listening = false;

/**
 * Runs `work`. An uncaught error that it, or anything it started, throws later goes to `onFault`. This lasts until the
 * process ends, because what `work` started may run longer than the caller needs it.
 */
export function contain<Result>(onFault: FaultHandler, work: () => Result): Result {
  if (!listening) process.on('uncaughtException', handle);
  listening = true;
  return contained.run(onFault, work);
}

/** Node.js raises unhandled rejections here too, both in the asynchronous context of the fault. */
function handle(fault: unknown): void {
  const onFault = contained.getStore();
  if (onFault) onFault(fault);
  // A listener prevents the default, which is to end the process. When there is no other listener, do that.
  else if (process.listenerCount('uncaughtException') === 1) throw fault;
}
