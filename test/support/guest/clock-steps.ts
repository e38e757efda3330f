/**
 * Runs inside a guest: steps its wall clock by an hour, forth, back and forth again, and makes one connection at each
 * time, to a port of its own that nobody listens on. Prints the time by the wall clock around each, a JSON object a line.
 *
 *   clock-steps.ts EVENTS     the file that the agent writes its events to
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

export interface ClockStep {
  readonly port: number;
  /** Milliseconds since 1970. */
  readonly before: number;
  readonly after: number;
}

const HOUR_S = 3_600;
const [file = ''] = process.argv.slice(2);

/** The last event of a connection that is refused. */
const ended = (port: number) =>
  readFileSync(file, 'utf8')
    .split('\n')
    .some((line) => line.includes(`"remote_port":${port},`) && line.includes('"new_state":"CLOSE"'));

for (const [index, seconds] of [0, HOUR_S, -HOUR_S, -HOUR_S, HOUR_S].entries()) {
  if (seconds !== 0) execFileSync('date', ['-s', `@${Math.round(Date.now() / 1_000) + seconds}`]);
  const step = { port: index + 1, before: Date.now(), after: 0 };
  const socket = connect(step.port, '127.0.0.1');
  await new Promise((resolve) => socket.on('error', () => {}).on('close', resolve));
  step.after = Date.now();
  process.stdout.write(`${JSON.stringify(step)}\n`);
  // What is read after a step is told by the clock after it.
  while (!ended(step.port)) await delay(50);
}
