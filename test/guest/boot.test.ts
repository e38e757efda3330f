import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { bootGuest, type GuestResult, guestUnavailable, MODULE_KERNELS } from '../support/guest.ts';
import { shared } from '../support/shared.ts';

const largeBytes = 20_000_000;
const collectFormats = join(import.meta.dirname, '../support/guest/collect-formats.sh');

/** The ID of an event is the build's, not the kernel version's. */
function withoutId(format: string): string {
  return format.replace(/^ID: \d+$/m, 'ID: any');
}

for (const kernel of MODULE_KERNELS) {
  const unavailable = guestUnavailable(kernel);
  if (unavailable !== undefined) console.warn(`skipped, guest ${kernel}: ${unavailable}`);

  describe.skipIf(unavailable !== undefined)(`guest with Linux ${kernel}`, () => {
    // EL7 has netem only, and no tracepoints of TCP.
    const isEl7 = kernel === '3.10';
    let guest: GuestResult;

    const boot = shared(() =>
      bootGuest({
        kernel,
        node: true,
        programs: ['/usr/sbin/ip', '/usr/sbin/tc', '/usr/sbin/nft'],
        modules: ['veth', 'sch_netem', ...(isEl7 ? [] : ['nft_numgen'])],
        files: { '/collect-formats.sh': collectFormats },
        script: `
          uname -r > /out/release
          node -p process.version > /out/node
          sh /collect-formats.sh /out/formats
          head -c ${largeBytes} /usr/bin/node > /out/large
          ip netns add peer
          ip link add left type veth peer name right netns peer
          tc qdisc add dev left root netem loss 5%
          tc qdisc show dev left > /out/link
          nft add table inet drops
          nft add chain inet drops out '{ type filter hook output priority 0; }'
          nft add rule inet drops out tcp dport 80 numgen random mod 100 '<' 2 drop
          nft list ruleset > /out/ruleset
          exit 7
        `,
      }),
    );
    beforeEach(async (context) => {
      guest = await boot(context);
    });

    const output = (name: string): string => guest.outputs.get(name)?.toString() ?? '';

    test('boots the kernel that was asked for', () => {
      expect(output('release')).toMatch(new RegExp(`^${kernel.replace('.', '\\.')}\\.`));
    });

    test('runs the Node.js of the lock file', () => {
      expect(output('node').trim()).toBe(process.version);
    });

    test('reports the exit code of the script', () => {
      expect(guest.exitCode, guest.console).toBe(7);
    });

    test('brings large binary files back unchanged', () => {
      const sent = readFileSync(process.execPath).subarray(0, largeBytes);
      expect(guest.outputs.get('large')?.equals(sent)).toBe(true);
    });

    test('has the tools and modules for lossy links', () => {
      expect(output('link')).toContain('loss 5%');
      if (!isEl7) expect(output('ruleset')).toContain('numgen random mod 100 < 2 drop');
    });

    test.skipIf(isEl7)('has the tracepoints whose formats are bundled', () => {
      const bundled = join(import.meta.dirname, '../fixtures/formats', kernel);
      const names = readdirSync(bundled);
      expect(names).toContain('sock.inet_sock_set_state.format');
      for (const name of names) {
        expect(withoutId(output(`formats/${name}`)), name).toBe(
          withoutId(readFileSync(join(bundled, name), 'utf8')),
        );
      }
    });
  });
}

describe.skipIf(guestUnavailable('6.1') !== undefined)('guest that does not end well', () => {
  test('a kernel panic is an error that shows the console', async () => {
    const guest = bootGuest({
      kernel: '6.1',
      script: 'echo c > /proc/sysrq-trigger',
    });
    await expect(guest).rejects.toThrow(/ended without a result[\s\S]*Kernel panic/);
  });

  test('a guest that hangs is ended at its time limit', async () => {
    const guest = bootGuest({ kernel: '6.1', script: 'sleep 1000', timeoutMs: 1000 });
    await expect(guest).rejects.toThrow('still up after 1000 ms');
  });

  test('a module the kernel has not is an error before the boot', async () => {
    const guest = bootGuest({ kernel: '6.1', script: '', modules: ['no_such_module'] });
    await expect(guest).rejects.toThrow('has no module no_such_module');
  });
});
