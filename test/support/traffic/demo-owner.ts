/** A process to be killed: starts the demo's link and traffic and says what it made. */
import { mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { startDemo } from '../../../src/demo/demo.ts';
import { INSTANCES } from '../tracefs.ts';

const traceInstance = `ktc-test-${process.pid}`;
const instance = join(INSTANCES, traceInstance);
mkdirSync(instance);
// An open file keeps an instance from being removed until this process is gone.
openSync(join(instance, 'trace_pipe'), 'r');

const demo = await startDemo({
  lossPercent: 2,
  ipv6: false,
  traceInstance,
  command: [process.execPath, '--no-warnings', join(import.meta.dirname, 'demo-traffic.ts')],
});
if (!demo.ok) throw new Error(demo.problem);
const { a, b } = demo.value.link;
process.stdout.write(`${JSON.stringify({ namespaces: [a.namespace, b.namespace], instance })}\n`);
