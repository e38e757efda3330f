/**
 * Keeps faults of a library that throws outside of every call (in a timer, in a socket's handler) from ending
 * the agent. What such code does is followed by its asynchronous context, so its faults can be told from the
 * agent's own bugs, which still end the process loudly.
 */
import { AsyncLocalStorage } from 'node:async_hooks';

type FaultHandler = (fault: unknown) => void;

const contained = new AsyncLocalStorage<FaultHandler>();
let listening = false;

/**
 * Runs `work`; whatever it or anything it started throws later without a catcher goes to `onFault`. From the
 * first call on this holds until the process ends, as what was started may outlive its use.
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
  // A listener takes away the default end of the process; nobody else listens, so bring it back.
  else if (process.listenerCount('uncaughtException') === 1) throw fault;
}
