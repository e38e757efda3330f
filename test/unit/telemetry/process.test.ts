import { afterEach, expect, test, vi } from 'vitest';
import { type ProcessWatch, watchProcess } from '../../../src/telemetry/process.ts';
import { DEADLINE_MS } from '../../support/wait.ts';

const SAMPLE_DEADLINE = { timeout: DEADLINE_MS };

const watches: ProcessWatch[] = [];
afterEach(() => {
  for (const watch of watches.splice(0)) watch.close();
});

/** A watch that has taken its first sample. */
async function sampled(): Promise<ProcessWatch> {
  const watch = watchProcess();
  watches.push(watch);
  await vi.waitFor(() => expect(watch.read().event_loop_delay_max_s).toBeGreaterThan(0), SAMPLE_DEADLINE);
  return watch;
}

test('the delay is how long the event loop stands still, without the interval of its samples', async () => {
  // A loaded machine makes it stand still too, and this shows for how long.
  let longest = 0;
  let last = performance.now();
  const look = () => {
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
  };
  const looking = setInterval(look, 5);
  const watch = await sampled();
  const { event_loop_delay_max_s } = watch.read();
  look();
  clearInterval(looking);
  expect(event_loop_delay_max_s).toBeLessThan(longest / 1e3 + 0.1);
});

test('a standstill of the event loop shows', async () => {
  const watch = await sampled();
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_000);
  await vi.waitFor(() => expect(watch.read().event_loop_delay_max_s).toBeGreaterThan(0.7), SAMPLE_DEADLINE);
  const { event_loop_delay_p99_s, event_loop_delay_max_s } = watch.read();
  expect(event_loop_delay_p99_s).toBeLessThanOrEqual(event_loop_delay_max_s);
});

test('memory and CPU time are those of this process', () => {
  const watch = watchProcess();
  watches.push(watch);
  const cpuSeconds = () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  };
  const before = cpuSeconds();
  const { cpu_seconds, rss_bytes } = watch.read();
  expect(cpu_seconds).toBeGreaterThanOrEqual(before);
  expect(cpu_seconds).toBeLessThanOrEqual(cpuSeconds());
  expect(rss_bytes / process.memoryUsage.rss()).toBeGreaterThan(0.8);
  expect(rss_bytes / process.memoryUsage.rss()).toBeLessThan(1.25);
});
