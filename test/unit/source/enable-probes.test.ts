/** Probes of an instance whose files are ordinary ones, with the formats of real kernels. */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseEventFormat } from '../../../src/source/decode/format.ts';
import { disableOtherCatalog, enableProbes } from '../../../src/source/enable-probes.ts';
import {
  MODULE,
  mapProbes,
  PROBE_OFF,
  type ProbeChoice,
  type ProbeName,
  TRACEPOINTS,
} from '../../../src/source/probes.ts';

const FORMATS = join(import.meta.dirname, '../../fixtures/formats/6.1');
const ALL: ProbeChoice = { enabled: true, filter: '' };

let path: string;

/** The kernel of this test has no other events than these. */
const EVENTS = ['sock/inet_sock_set_state', 'tcp/tcp_retransmit_skb', 'tcp/tcp_receive_reset'];

beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), 'ktc-probes-'));
  for (const event of EVENTS) {
    mkdirSync(`${path}/events/${event}`, { recursive: true });
    cpSync(join(FORMATS, `${event.replace('/', '.')}.format`), `${path}/events/${event}/format`);
  }
});
afterEach(() => rmSync(path, { recursive: true }));

const written = (file: string) => readFileSync(`${path}/events/${file}`, 'utf8');

function enable(choices: Partial<Record<ProbeName, ProbeChoice>>, sharesFilters = false) {
  const probes = mapProbes((name) => choices[name] ?? PROBE_OFF);
  return enableProbes({ path, takenOver: false }, { catalog: TRACEPOINTS, probes, sharesFilters });
}

describe('the chosen probes', () => {
  test('are enabled with their own filter and that of the operator', () => {
    const enabled = enable({
      tcp_set_state: { enabled: true, filter: 'dport == 443' },
      tcp_retransmit_skb: { enabled: true, filter: 'sport == 22' },
      tcp_receive_reset: ALL,
    });
    if (!enabled.ok) throw new Error(enabled.problem);
    const status = (name: ProbeName) => enabled.value.find((probe) => probe.status.name === name)?.status;
    expect(written('sock/inet_sock_set_state/filter')).toBe('(protocol == 6) && (dport == 443)');
    expect(written('tcp/tcp_retransmit_skb/filter')).toBe('sport == 22');
    expect(written('tcp/tcp_receive_reset/filter')).toBe('0');
    for (const event of EVENTS) expect(written(`${event}/enable`)).toBe('1');
    expect(status('tcp_receive_reset')).toEqual({
      name: 'tcp_receive_reset',
      event: 'tcp/tcp_receive_reset',
      enabled: true,
      filter: '',
      filteredBy: 'kernel',
      problem: null,
    });
    expect(status('inet_csk_accept')).toMatchObject({ event: null, enabled: false, problem: null });
  });

  test('have a reader by the type of their records', () => {
    const enabled = enable({ tcp_set_state: ALL });
    if (!enabled.ok) throw new Error(enabled.problem);
    const id = Number(/^ID: (\d+)$/m.exec(written('sock/inet_sock_set_state/format'))?.[1]);
    const events = enabled.value.flatMap(({ event }) => (event === null ? [] : [event]));
    expect(events.map(({ type }) => type)).toEqual([id]);
  });

  test('that this kernel lacks stay disabled and say so, and others are disabled', () => {
    const enabled = enable({ tcp_set_state: ALL, tcp_send_reset: ALL });
    if (!enabled.ok) throw new Error(enabled.problem);
    const problems = enabled.value.flatMap(({ status: { name, problem } }) =>
      problem ? [name, problem] : [],
    );
    expect(problems).toEqual(['tcp_send_reset', 'this kernel has no event tcp:tcp_send_reset']);
    expect(written('tcp/tcp_retransmit_skb/enable')).toBe('0');
  });
});

describe('on a kernel where a filter is that of all tracers', () => {
  test('no filter is written, and those of the probe and of the operator are decided here', () => {
    const enabled = enable({ tcp_set_state: { enabled: true, filter: 'dport == 443' } }, true);
    if (!enabled.ok) throw new Error(enabled.problem);
    expect(existsSync(`${path}/events/sock/inet_sock_set_state/filter`)).toBe(false);
    expect(written('sock/inet_sock_set_state/enable')).toBe('1');
    const probe = enabled.value.find(({ status }) => status.name === 'tcp_set_state');
    expect(probe?.status).toMatchObject({
      filter: '(protocol == 6) && (dport == 443)',
      filteredBy: 'source',
    });
    const { fields } = parseEventFormat(written('sock/inet_sock_set_state/format')) ?? { fields: new Map() };
    const passes = (protocol: number, port: number) => {
      const bytes = Buffer.alloc(128);
      bytes.writeUInt16LE(protocol, fields.get('protocol')?.offset);
      bytes.writeUInt16LE(port, fields.get('dport')?.offset);
      return probe?.event?.filter?.(bytes, 0, 0);
    };
    expect([passes(6, 443), passes(6, 80), passes(132, 443)]).toEqual([true, false, false]);
  });

  test('a filter that cannot be decided here is refused, and nothing is enabled', () => {
    const refused = enable({ tcp_retransmit_skb: { enabled: true, filter: 'comm == "nginx"' } }, true);
    expect(refused).toEqual({
      ok: false,
      problem:
        'source.probes.tcp_retransmit_skb.filter: a record has no "comm": use exclude.comms ' +
        '(filters of this kernel are shared by all tracers, so the agent applies this one)',
    });
    expect(existsSync(`${path}/events/tcp/tcp_retransmit_skb/filter`)).toBe(false);
  });
});

describe('no probe is enabled', () => {
  test.each<[string, Partial<Record<ProbeName, ProbeChoice>>, string]>([
    ['none is chosen', {}, 'no probe is enabled: enable one below source.probes'],
    [
      'the kernel has none',
      { tcp_send_reset: ALL },
      'this kernel has no event tcp:tcp_send_reset: tcp_trace.ko has its own (source.kind module)',
    ],
    [
      'a filter is wrong',
      { tcp_set_state: ALL, tcp_retransmit_skb: { enabled: true, filter: 'dport = 1' } },
      'source.probes.tcp_retransmit_skb.filter: unexpected "=" at character 7',
    ],
  ])('if %s', (_, choices, problem) => {
    expect(enable(choices)).toEqual({ ok: false, problem });
  });
});

test('the events of the other kind of source are disabled in an instance that was taken over', () => {
  disableOtherCatalog({ path, takenOver: true }, MODULE);
  for (const event of EVENTS) expect(written(`${event}/enable`)).toBe('0');
});
