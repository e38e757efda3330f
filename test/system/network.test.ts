import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { startDemo } from '../../src/demo/demo.ts';
import { createLossyLink, type LossyLink } from '../../src/demo/network.ts';
import {
  noNetworkReason,
  openLossyLink,
  readLinkCounters,
  waitUntilQuiet,
  withLossyLink,
} from '../support/network.ts';
import { readCounters } from '../support/nstat.ts';
import { INSTANCES, noTracefsReason, TRACING } from '../support/tracefs.ts';
import {
  type AddressFamily,
  type ConnectionRecord,
  runConnections,
  runSteady,
} from '../support/traffic/traffic.ts';
import { until } from '../support/wait.ts';

if (noTracefsReason) console.warn(`skipped: the demo's trace instance: ${noTracefsReason}`);
const FAMILIES: AddressFamily[] = ['ipv4', 'ipv6', 'mapped'];

beforeEach(({ skip }) => {
  if (noNetworkReason) skip(noNetworkReason);
});

function namespaces(): string[] {
  return existsSync('/run/netns') ? readdirSync('/run/netns') : [];
}

function pidsIn(namespace: string): number[] {
  const output = execFileSync('ip', ['netns', 'pids', namespace], { encoding: 'utf8' });
  return output.split('\n').filter(Boolean).map(Number);
}

function isRunning(pid: number): boolean {
  return existsSync(`/proc/${pid}`) && !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
}

/** What the two sides of a connection must agree on. */
function flows(records: ConnectionRecord[], side: ConnectionRecord['side']): string[] {
  return records
    .map((record) => {
      const port = side === 'client' ? record.local_port : record.remote_port;
      const [up, down] =
        side === 'client'
          ? [record.bytes_sent, record.bytes_received]
          : [record.bytes_received, record.bytes_sent];
      return `${port} ${up} ${down} ${record.closed_by} ${record.error}`;
    })
    .sort();
}

describe('the link', () => {
  test('drops what it was told to, and TCP mends it', async () => {
    await withLossyLink({ lossPercent: 3 }, async (link) => {
      const { client, server } = await runConnections(link, { family: 'ipv4', connections: 300 });
      await waitUntilQuiet(link);
      const counters = await readLinkCounters(link);

      expect(client.filter((record) => record.error !== null)).toEqual([]);
      expect(client).toHaveLength(300);
      expect(flows(server, 'server')).toEqual(flows(client, 'client'));
      expect(new Set(client.map((record) => record.closed_by))).toEqual(
        new Set(['client', 'server', 'reset']),
      );
      expect(counters.TcpActiveOpens).toBe(300);
      // A SYN that was sent again and comes when its connection has ended already opens another one for a moment.
      expect(counters.TcpPassiveOpens).toBeGreaterThanOrEqual(300);
      expect(counters.TcpPassiveOpens).toBeLessThanOrEqual(303);
      expect(await link.droppedPackets()).toBeGreaterThan(50);
      expect(counters.TcpRetransSegs).toBeGreaterThan(50);
      expect(counters.TcpExtTCPRetransFail).toBe(0);
    });
  });

  test('drops nothing at 0 %', async () => {
    await withLossyLink({ lossPercent: 0 }, async (link) => {
      for (const family of FAMILIES) await runConnections(link, { family, connections: 100 });
      expect(await link.droppedPackets()).toBe(0);
      expect((await readLinkCounters(link)).TcpExtTCPSynRetrans).toBe(0);
    });
  });

  test('says in one line which program is missing', async () => {
    const path = process.env['PATH'];
    process.env['PATH'] = '/nowhere';
    try {
      expect(await createLossyLink({ name: 'test', lossPercent: 2 })).toEqual({
        ok: false,
        problem: 'ip is not installed: install iproute2 (apt-get install iproute2, or yum install iproute)',
      });
    } finally {
      process.env['PATH'] = path;
    }
  });
});

describe('nothing is left', () => {
  test('after close, with programs still running in the namespaces', async () => {
    const link = await openLossyLink({ lossPercent: 1 });
    const { namespace } = link.a;
    const sleeper = spawn('ip', ['netns', 'exec', namespace, 'sleep', '1000'], { stdio: 'ignore' });
    const ended = once(sleeper, 'exit');
    await until(() => pidsIn(namespace).length > 0, 'sleep in the namespace');

    await link.close();
    await link.close();
    await ended;
    expect(namespaces()).not.toContain(namespace);
    expect(namespaces()).not.toContain(link.b.namespace);
  });

  test.each(['SIGINT', 'SIGTERM', 'SIGKILL'] as const)(
    'after %s to the process that made it',
    async (signal) => {
      const script = join(import.meta.dirname, '../support/traffic/demo-owner.ts');
      const owner = spawn(process.execPath, ['--no-warnings', script], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const [line] = (await once(owner.stdout, 'data')) as [Buffer];
      const { namespaces: made, instance } = JSON.parse(line.toString()) as {
        namespaces: string[];
        instance: string;
      };
      expect(existsSync(instance)).toBe(true);
      expect(namespaces()).toEqual(expect.arrayContaining(made));
      await until(() => made.every((name) => pidsIn(name).length > 0), 'traffic at both ends');
      const pids = made.flatMap(pidsIn);

      owner.kill(signal);
      await once(owner, 'exit');
      await until(() => made.every((name) => !namespaces().includes(name)), 'namespaces removed');
      await until(() => !existsSync(instance), 'trace instance removed');
      await until(() => !pids.some(isRunning), 'traffic ended');
    },
  );

  test('of an earlier run whose keeper was killed too, while a living one is left alone', async () => {
    const living = await openLossyLink({ lossPercent: 1 });
    // Start times of living processes are never 1: that is before the first of them.
    const stale = `ktc-demo-${process.pid}-1-1-a`;
    execFileSync('ip', ['netns', 'add', stale]);

    await withLossyLink({ lossPercent: 1 }, async () => {
      expect(namespaces()).not.toContain(stale);
      expect(namespaces()).toContain(living.a.namespace);
    });
    await living.close();
  });
});

describe('traffic', () => {
  test.each([false, true])('of the demo is sent again where it is lost, IPv6: %s', async (ipv6) => {
    const script = join(import.meta.dirname, '../support/traffic/demo-traffic.ts');
    const demo = await startDemo({
      lossPercent: 5,
      ipv6,
      command: [process.execPath, '--no-warnings', script],
    });
    if (!demo.ok) throw new Error(demo.problem);
    const { link, close } = demo.value;
    try {
      await until(
        async () => (await readLinkCounters(link)).TcpRetransSegs > 20,
        'segments to be sent again',
      );
      expect((await readLinkCounters(link)).TcpPassiveOpens).toBeGreaterThan(0);
    } finally {
      await close();
    }
    expect(namespaces()).not.toContain(link.a.namespace);
  });

  test('for benches comes at no more than the rate asked for', async () => {
    await withLossyLink({ lossPercent: 0 }, async (link) => {
      const { namespace } = link.a;
      const result = await runSteady({ perSecond: 1_000, seconds: 2, namespace });
      const counters = await readCounters(namespace);
      expect(result.failed).toBe(0);
      expect(counters.TcpActiveOpens).toBe(result.connections);
      // A busy machine may make it slower, never faster; how much slower: bench/source.ts.
      expect(result.connections).toBeGreaterThan(0);
      expect(result.connections).toBeLessThanOrEqual(2_000);
    });
  });
});

/** Errors with which a retransmit ends before the kernel counts it (tcp_retransmit_skb's `err`, Linux 6.17 on). */
const UNCOUNTED = new Set(['-11', '-12', '-16', '-22', '-113']);

/** Runs `traffic` and returns the link's lines of retransmit events, from a trace instance of its own. */
async function traceRetransmits(link: LossyLink, traffic: () => Promise<unknown>): Promise<string[]> {
  const instance = join(INSTANCES, `ktc-test-${process.pid}`);
  const enable = ['tcp_retransmit_skb', 'tcp_retransmit_synack'].map((name) =>
    join(instance, 'events/tcp', name, 'enable'),
  );
  mkdirSync(instance);
  try {
    writeFileSync(join(instance, 'buffer_size_kb'), '8192');
    for (const file of enable) writeFileSync(file, '1');
    await traffic();
    for (const file of enable) writeFileSync(file, '0');
    const ours = [link.a.ipv4, link.a.ipv6].map((address) => `=${address} `);
    const theirs = [link.b.ipv4, link.b.ipv6].map((address) => `=${address} `);
    return readFileSync(join(instance, 'trace'), 'utf8')
      .split('\n')
      .filter((line) => [...ours, ...theirs].some((address) => line.includes(address)));
  } finally {
    rmdirSync(instance);
  }
}

describe.skipIf(!existsSync(join(TRACING, 'events/tcp/tcp_retransmit_synack')))('retransmit events', () => {
  test.each(FAMILIES)('are as many as the segments the kernel counts, over %s', async (family) => {
    await withLossyLink({ lossPercent: 2 }, async (link) => {
      const lines = await traceRetransmits(link, async () => {
        const { client } = await runConnections(link, { family, connections: 2_000 });
        expect(client.filter((record) => record.error !== null)).toEqual([]);
        await waitUntilQuiet(link);
      });
      const counted = lines.filter((line) => !UNCOUNTED.has(/ err=(-?\d+)/.exec(line)?.[1] ?? '0'));
      const counters = await readLinkCounters(link);
      expect(counters.TcpRetransSegs).toBeGreaterThan(500);
      expect(counted).toHaveLength(counters.TcpRetransSegs);
    });
  });
});
