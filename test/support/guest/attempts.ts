/** What the module's hooks see, against what the kernel counts once it has succeeded. */
import { expect } from 'vitest';

/**
 * The hooks stand at the entry of functions that decide a moment later: an attempt that is then refused for want of
 * memory, route or window is recorded and not counted, and one whose first copy leaves this host's queues in that very
 * moment is counted and not recorded (kmodule/README.md). In guests, which emulate one CPU after the other, one in some
 * thousand.
 *
 * Success shows nowhere but in the return value of __tcp_retransmit_skb(): behind the copy that it sends it calls
 * nothing, and EL7 has no tracepoint there. A kretprobe would tell, and lose more than it mends: its instances run out,
 * and each call that comes in an interrupt while another kprobe runs on that CPU is missed.
 */
export function expectAttempts(recorded: number, counted: number): void {
  expect(Math.abs(recorded - counted), `${recorded} recorded, ${counted} counted`).toBeLessThanOrEqual(
    Math.max(2, counted / 100),
  );
}
