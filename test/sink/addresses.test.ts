/** Names with several addresses, some of them slow or dead: whoever would reach the name finds the one that answers. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Dialler, Order, Try } from '../support/dial-there.ts';
import { enter, loadRules, openNamespace } from '../support/namespace.ts';
import { noNetworkReason } from '../support/network.ts';
import { DEADLINE_MS } from '../support/wait.ts';

if (noNetworkReason) console.warn(`skipped: names with several addresses: ${noNetworkReason}`);

const run = promisify(execFile);
const SINKS: readonly Dialler[] = ['http', 'grpc', 'kafka'];
const DIALLERS: readonly Dialler[] = [...SINKS, 'status'];

/** Its first SYN is lost, so a handshake takes a second. */
const SLOW = '127.0.1.1';
/** Its first two SYNs are lost: three seconds. */
const SLOWER = '127.0.1.2';
const LIVE = '127.0.1.3';
const LIVE6 = 'fd99::3';
/** Nobody listens there. */
const REFUSED = '127.0.1.4';
/** Accepts connections and never answers. */
const SILENT = '127.0.1.6';
/** Every packet to them is lost. */
const DEAD = ['127.0.1.10', '127.0.1.11', '127.0.1.12', '127.0.1.13'];
const DEAD6 = 'fd99::9';

const RULES = `table ip t {
  set once { type inet_service . inet_service; flags timeout; timeout 20s; size 65535; }
  set twice { type inet_service . inet_service; flags timeout; timeout 20s; size 65535; }
  chain incoming {
    type filter hook input priority 0;
    tcp flags & (syn | ack) != syn accept
    ip daddr { ${DEAD.join(', ')} } drop
    ip daddr ${SLOW} tcp sport . tcp dport @once accept
    ip daddr ${SLOW} add @once { tcp sport . tcp dport } drop
    ip daddr ${SLOWER} tcp sport . tcp dport @twice accept
    ip daddr ${SLOWER} tcp sport . tcp dport @once add @twice { tcp sport . tcp dport } drop
    ip daddr ${SLOWER} add @once { tcp sport . tcp dport } drop
  }
}
table ip6 t {
  chain incoming {
    type filter hook input priority 0;
    ip6 daddr ${DEAD6} drop
  }
}
`;

/** The names, their addresses, and those that may be reached. */
const NAMES: Readonly<Record<string, readonly [addresses: readonly string[], reached: readonly string[]]>> = {
  'slow-and-dead': [[SLOW, DEAD[0] ?? ''], [SLOW]],
  'dead-and-slow': [[DEAD[0] ?? '', SLOW], [SLOW]],
  'slower-and-dead': [[SLOWER, ...DEAD], [SLOWER]],
  'refused-and-slow': [[REFUSED, SLOW], [SLOW]],
  'four-dead-and-live': [[...DEAD, LIVE], [LIVE]],
  'dead-ipv6-and-live': [[DEAD6, LIVE], [LIVE]],
  'live-ipv6-and-dead': [[LIVE6, ...DEAD], [LIVE6]],
};

/** What each says of a name that no packet reaches. */
const UNREACHED: Readonly<Record<Dialler, RegExp>> = {
  http: /: no connection to all-dead:4318 within 2000 ms$/,
  grpc: /: no connection to all-dead:4317 within 2000 ms$/,
  kafka: /no connection|Connection timeout|connecting not done/,
  status: /nothing within 5 s/,
};

describe.skipIf(noNetworkReason)('a name with several addresses', () => {
  const directory = mkdtempSync(join(tmpdir(), 'ktc-addresses-'));
  let namespace = '';
  let close = async () => {};

  beforeAll(async () => {
    ({ namespace, close } = await openNamespace('addresses'));
    const inside = (...words: string[]) => run('ip', ['-n', namespace, ...words]);
    // Neither family is looked up where it has no address but loopback ones.
    await inside('link', 'add', 'outside', 'type', 'veth', 'peer', 'name', 'other');
    for (const device of ['outside', 'other']) await inside('link', 'set', device, 'up');
    await inside('address', 'add', '10.99.0.1/24', 'dev', 'outside');
    await inside('address', 'add', 'fd98::1/64', 'dev', 'outside', 'nodad');
    for (const address of [LIVE6, DEAD6])
      await inside('address', 'add', `${address}/128`, 'dev', 'lo', 'nodad');
    await loadRules(namespace, RULES);
  });
  afterAll(async () => {
    await close();
    rmSync(directory, { recursive: true });
  });

  async function tryThere(names: typeof NAMES, timeoutMs: number): Promise<Try[]> {
    const hosts = join(directory, 'hosts');
    const lines = Object.entries(names).flatMap(([name, [addresses]]) =>
      addresses.map((address) => `${address} ${name}\n`),
    );
    writeFileSync(hosts, lines.join(''));
    const order: Order = {
      addresses: [SLOW, SLOWER, LIVE, LIVE6],
      silent: [SILENT],
      names: Object.keys(names),
      timeoutMs,
    };
    const [command, ...args] = enter(namespace);
    const script = join(import.meta.dirname, '../support/dial-there.ts');
    // Names for this program alone: the file is over /etc/hosts in a mount namespace of its own.
    const renamed = ['unshare', '--mount', 'sh', '-c', 'mount --bind "$0" /etc/hosts && exec "$@"', hosts];
    const { stdout } = await run(
      command,
      [...args, ...renamed, process.execPath, '--no-warnings', script, JSON.stringify(order)],
      { timeout: DEADLINE_MS },
    );
    return stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Try);
  }

  it('is reached by every sink and by ktc status, wherever the address that answers stands', async () => {
    const tries = await tryThere(NAMES, 20_000);
    expect(tries).toHaveLength(Object.keys(NAMES).length * DIALLERS.length);
    for (const { name, by, reached, problem, attempts } of tries) {
      expect(NAMES[name]?.[1], `${name} by ${by}: ${problem}`).toContain(reached);
      expect(attempts).toBe(1);
      if (by === 'http' || by === 'grpc') expect(problem).toBeNull();
    }
  });

  it('of which one accepts connections and never answers is reached by the next attempt', async () => {
    const tries = await tryThere({ 'silent-and-live': [[SILENT, LIVE], [LIVE]] }, 2_000);
    const sinks = tries.filter(({ by }) => SINKS.includes(by));
    expect(sinks.map(({ reached }) => reached)).toEqual(SINKS.map(() => LIVE));
  });

  it('of which none answers is given up when the configured time is over, with a line that says so', async () => {
    const names = { 'all-dead': [DEAD, []], 'all-refused': [[REFUSED, '127.0.1.5'], []] } as const;
    const tries = await tryThere(names, 2_000);
    for (const { name, by, reached, problem, ms } of tries) {
      expect(reached).toBeNull();
      if (name === 'all-dead') {
        expect(problem).toMatch(UNREACHED[by]);
        expect(ms, by).toBeGreaterThanOrEqual(1_900);
      } else if (by === 'status') {
        expect(problem).toContain('no agent answers');
      } else {
        expect(problem).toContain('connect ECONNREFUSED 127.0.1.4:');
        expect(problem).toContain('connect ECONNREFUSED 127.0.1.5:');
      }
    }
  });
});
