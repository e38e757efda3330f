import { describe, expect, it } from 'vitest';
import { summaryOf } from '../../../src/report/summary.ts';
import { textOf } from '../../../src/report/text.ts';
import { createTestAgent, START_S } from './events.ts';
import { reportOf, reportResult } from './make.ts';

type Lines = string[];

async function headlinesOf(lines: Lines): Promise<Map<string, string>> {
  const { headlines } = summaryOf(await reportOf(lines));
  return new Map(headlines.map(({ id, text }) => [id, text]));
}

/** Twenty hosts in four racks that talk to one another for two hours; each says who it is. */
function fleet(): {
  lines: Lines;
  agents: ReturnType<typeof createTestAgent>[];
  addressOf: (index: number) => string;
} {
  const addressOf = (index: number) => `10.0.${index % 4}.${index + 1}`;
  const agents = Array.from({ length: 20 }, (_, index) =>
    createTestAgent({
      name: `web${index}`,
      address: addressOf(index),
      labels: { rack: `r${(index % 4) + 1}`, service: index % 2 === 0 ? 'web' : 'db' },
    }),
  );
  const lines: Lines = [];
  for (let minute = 0; minute < 120; minute++) {
    agents.forEach((agent, index) => {
      lines.push(agent.status(minute * 60));
      lines.push(agent.life(minute * 60 + 5, addressOf((index + 1 + minute) % 20)));
    });
  }
  return { lines, agents, addressOf };
}

describe('a report says', () => {
  it('which peers cause the retransmits, what they have in common, and since when', async () => {
    const { lines, agents, addressOf } = fleet();
    // Peers 2, 6 and 10 are in rack r3.
    for (let second = 3720; second < 7200; second += 30)
      for (const peer of [2, 6, 10]) lines.push(agents[1]?.retransmit(second, addressOf(peer)) ?? '');
    lines.push(agents[3]?.retransmit(100, addressOf(4), 'tlp') ?? '');
    const headlines = await headlinesOf(lines);
    expect(headlines.get('worst_peers')).toBe(
      '3 of 20 peers cause 99 % of 349 retransmits; all are in rack r3; since 15:02 UTC.',
    );
    expect(headlines.get('worst_rack_pair')).toBe(
      'From rack r2 to rack r3: 99 % of the retransmits, but 6.3 % of the segments.',
    );
    expect(headlines.get('worst_host')).toMatch(/^Host web1, one of 20, sent 99 % of the retransmits itself/);
    expect(headlines.get('kinds')).toMatch(/^99 % of the retransmits are timeouts \(rto\)/);
    expect(headlines.get('missing')).toBe(
      'Nothing is missing: all that 20 hosts numbered is here (5,149 events).',
    );
  });

  it('that retransmits are spread when no peer stands out', async () => {
    const { lines, agents, addressOf } = fleet();
    for (const [index, agent] of agents.entries())
      lines.push(agent.retransmit(index * 60, addressOf((index + 1) % 20)));
    expect((await headlinesOf(lines)).get('retransmits')).toBe(
      '20 segments were sent again (0 % of the segments of closed connections): to 20 peers.',
    );
  });

  it('who never answers, which service is slow, and what is reset', async () => {
    const { lines, agents, addressOf } = fleet();
    for (let second = 0; second < 300; second++) {
      lines.push(agents[0]?.retransmit(second, '10.9.9.9', 'syn') ?? '');
      for (const [peer, latency_us] of [
        [3, 40_000],
        [2, 900],
      ] as const)
        lines.push(agents[0]?.tcp('tcp_connect_latency', second, addressOf(peer), { latency_us }) ?? '');
      lines.push(
        agents[5]?.tcp('tcp_reset', second, '192.0.2.1', { reset_direction: 'sent', state: null }) ?? '',
      );
    }
    const headlines = await headlinesOf(lines);
    expect(headlines.get('unanswered')).toBe(
      '10.9.9.9 never answered: 300 SYNs were sent again and no connection came about; unreachable, or filtered.',
    );
    expect(headlines.get('slow_service')).toMatch(/^Connecting to db:5432 takes up to 4\d ms/);
    expect(headlines.get('resets')).toMatch(
      /^300 resets \(300 sent, 0 received\).*; 100 % with 192\.0\.2\.1\.$/,
    );
  });

  it('which connections a program does not close, and which host is silent', async () => {
    const { lines, agents } = fleet();
    for (let index = 0; index < 12; index++)
      lines.push(
        agents[4]?.tcp('tcp_state', 600 + index, '10.0.0.1', {
          ...{ old_state: 'ESTABLISHED', new_state: 'CLOSE_WAIT', connection_id: `c${index}` },
          ...{ direction: 'passive', local_port: 5672 },
        }) ?? '',
      );
    lines.push(
      agents[4]?.tcp('tcp_state', 700, '10.0.0.1', {
        old_state: 'CLOSE_WAIT',
        new_state: 'LAST_ACK',
        connection_id: 'c0',
      }) ?? '',
    );
    const silent = lines.filter((line) => !(line.includes('"host":"web9"') && /T15:[2-5]/.test(line)));
    const headlines = await headlinesOf(silent);
    expect(headlines.get('close_wait')).toMatch(
      /^11 connections of nginx on port 5672 on web4 wait in CLOSE_WAIT, the oldest since 14:10 UTC/,
    );
    expect(headlines.get('silent_hosts')).toBe('Host web9 has been silent since 15:19 UTC.');
  });

  it('that nothing was sent again only where the kernels say so', async () => {
    const agent = createTestAgent({ name: 'web1', address: '10.0.0.1' });
    const other = createTestAgent({ name: 'web2', address: '10.0.0.1' });
    const statuses = (retransmits: number) =>
      [0, 60].flatMap((second) => [
        agent.status(second, {
          counters: { 'Tcp.OutSegs': 100 + second, 'Tcp.RetransSegs': (retransmits * second) / 60 },
        }),
        other.status(second),
      ]);
    expect((await headlinesOf(statuses(0))).get('retransmits')).toBe('No segment was sent again.');
    expect((await headlinesOf(statuses(7))).get('retransmits')).toBe(
      'No retransmit was recorded, but the kernels of 1 host count 7: tcp_retransmit is not traced there, or left out of this input.',
    );
    const life = createTestAgent({ name: 'web3', address: '10.0.0.3' }).life(0, '10.0.0.2');
    const headlines = await headlinesOf([life]);
    expect(headlines.get('retransmits')).toBe('No retransmit was recorded.');
    expect(headlines.get('missing')).toBe(
      'No number is missing between the first and the last event of the host (1 event); without host_status events, what was before and after is not known.',
    );
  });

  it('to whom most is sent again, where there are few peers', async () => {
    const agent = createTestAgent({ name: 'web1', address: '10.0.0.1' });
    const lines = [1, 1, 1, 2].map((peer, second) => agent.retransmit(second, `10.0.0.${peer}`));
    expect((await headlinesOf(lines)).get('retransmits')).toBe(
      '4 segments were sent again: to 2 peers, 75 % of them to 10.0.0.1.',
    );
  });

  it('the same in the terminal and in the JSON', async () => {
    const { lines, agents, addressOf } = fleet();
    for (let second = 0; second < 600; second += 10)
      lines.push(agents[1]?.retransmit(second, addressOf(2)) ?? '');
    const model = await reportOf(lines);
    const { headlines } = summaryOf(model);
    const printed = textOf(model).split('\n\n')[1]?.split('\n');
    expect(printed?.map((line) => line.slice(3))).toEqual(headlines.map(({ text }) => text));
    expect(headlines.length).toBeGreaterThan(3);
  });

  it('how many events are missing, and what the ledgers say', async () => {
    const { lines, agents, addressOf } = fleet();
    agents[2]?.skip(17);
    agents[7]?.skip(3);
    for (const index of [2, 7])
      lines.push(
        agents[index]?.status(7260, {
          ledger: { 'sink.kafka.dropped.spool_full': 3, 'lost.kernel_overrun': 25, emitted: 9 },
        }) ?? '',
      );
    lines.push(agents[2]?.life(7261, addressOf(1)) ?? '');
    const headlines = await headlinesOf(lines);
    expect(headlines.get('missing')).toBe(
      '20 of 4,823 numbered events are missing (0.41 %), of 2 hosts; the ledgers name 6 sink.kafka.dropped.spool_full.',
    );
    expect(headlines.get('lost_records')).toBe(
      '50 kernel records on 2 hosts never became events: 50 lost.kernel_overrun.',
    );
    expect(
      textOf(await reportOf(lines))
        .split('\n')
        .slice(-4)
        .map((line) => line.split(/ {2,}/)),
    ).toEqual([
      ['MISSING', 'OF NUMBERED', 'HOST', 'BY ITS LEDGER'],
      ['17', '259', 'web2', expect.stringMatching(/^lost\.kernel_overrun 25, sink\.kafka/)],
      ['3', '244', 'web7', expect.stringMatching(/^lost\.kernel_overrun 25, sink\.kafka/)],
      [''],
    ]);
  });
});

describe('what is read', () => {
  const agent = createTestAgent({ name: 'web', address: '10.0.0.1' });
  const lines = [
    agent.retransmit(0, '10.0.0.2'),
    agent.retransmit(60, '10.0.0.3'),
    agent.life(90, '10.0.0.3'),
  ];

  it('counts once, however often and in whatever order it comes', async () => {
    const once = await reportOf(lines);
    const often = await reportOf([...lines.toReversed(), ...lines, ...lines]);
    expect(often.input).toMatchObject({ lines: 9, events: 3, duplicates: 6 });
    expect(summaryOf(often).peers).toEqual(summaryOf(once).peers);
  });

  it('says the same of files that are read in the wrong order', async () => {
    const leaking = createTestAgent({ name: 'web', address: '10.0.0.1' });
    const state = (second: number, old_state: string, new_state: string) =>
      leaking.tcp('tcp_state', second, '10.0.0.2', { connection_id: 'one', old_state, new_state });
    const counters = (retransmits: number) => ({
      counters: { 'Tcp.OutSegs': 100 * retransmits, 'Tcp.RetransSegs': retransmits },
    });
    const early = [
      leaking.status(0, counters(3)),
      state(1, 'ESTABLISHED', 'CLOSE_WAIT'),
      leaking.status(60, counters(5)),
    ];
    const late = [
      leaking.status(120, counters(9)),
      state(130, 'CLOSE_WAIT', 'LAST_ACK'),
      leaking.status(300, counters(14)),
    ];
    for (const files of [
      [early, late],
      [late, early],
    ]) {
      const model = await reportOf(files.flat());
      expect(model.leaks).toEqual([]);
      expect(summaryOf(model).hosts).toMatchObject([{ kernel_retransmits: 11, kernel_segments: 1100 }]);
    }
  });

  it('is counted by reason where it cannot be used', async () => {
    const clock = (timestamp: string, id: number) =>
      JSON.stringify({ ...JSON.parse(lines[0] ?? ''), timestamp, event_id: `b-s-1-${id}` });
    const { input } = await reportOf([
      ...[
        'no json',
        '[]',
        '{"event":"tcp_life"}',
        clock('yesterday', 1),
        JSON.stringify({ ...JSON.parse(lines[0] ?? ''), event_id: 'none' }),
      ],
      ...[clock('1970-01-01T00:00:01.000000000Z', 2), clock('2200-01-01T00:00:01.000000000Z', 3), ...lines],
    ]);
    expect(input).toMatchObject({ lines: 10, events: 3, malformed: 5, wrong_clocks: { web: 2 } });
  });

  it('is of the time that was asked for, while the account is of all', async () => {
    const result = await reportOf(lines, { sinceS: START_S + 60, untilS: START_S + 90 });
    expect(result.input).toMatchObject({ events: 1, outside: 2 });
    expect(result.account).toMatchObject([{ expected: 3, seen: 3, missing: 0 }]);
    expect(await reportResult(lines, { sinceS: START_S + 3600 })).toMatchObject({
      ok: false,
      reason: 'empty',
      problem:
        'test: 3 events from 2026-11-24 14:00:00 to 2026-11-24 14:01:30 UTC, none of them within --since and --until',
    });
  });

  it('gives no report without an event, and says why', async () => {
    expect(await reportResult(['hello', 'world'])).toEqual({
      ok: false,
      reason: 'empty',
      problem: 'test: none of 2 lines is an event; a report reads NDJSON of ktc, recordings and spools',
    });
    expect(await reportResult([])).toMatchObject({ ok: false, problem: 'test: no event to report on' });
    expect(await reportResult([], { sinceS: START_S })).toMatchObject({
      problem: 'test: no event since 2026-11-24 14:00:00 UTC',
    });
    expect(await reportResult(['{"schema_version":1,"event":"tcp_li'])).toMatchObject({
      problem: 'test: the only line is no event; a report reads NDJSON of ktc, recordings and spools',
    });
    expect(await reportResult([agent.life(-86_400 * 3650, '10.0.0.2')])).toMatchObject({
      problem: 'test: all events are from before 2020 or more than a day ahead: look at the clock of 1 host',
    });
  });

  it('keeps the peers with the most retransmits apart, and sums the others', async () => {
    const many = Array.from({ length: 50 }, (_, index) =>
      Array.from({ length: index + 1 }, (__, second) => agent.retransmit(second, `10.1.0.${index}`)),
    ).flat();
    const { peers, total, headlines } = summaryOf(await reportOf(many, { maxPeers: 10 }));
    expect(headlines[0]?.text).toBe('1,275 segments were sent again: to more than 10 peers.');
    expect(peers).toHaveLength(11);
    expect(peers[0]).toMatchObject({ ownership: 'rest', retransmits: (40 * 41) / 2 });
    expect(peers[1]).toMatchObject({ address: '10.1.0.49', retransmits: 50 });
    expect(total['retransmits']).toBe((50 * 51) / 2);
  });
});

it('the terminal gets names without what steers it', async () => {
  const evil = createTestAgent({ name: 'e\u001b[31mvil\u202e', address: '10.0.0.1' });
  const text = textOf(
    await reportOf([evil.status(0), evil.retransmit(1, 'a\nb'.repeat(100)), evil.status(300)]),
  );
  for (const character of '\u001b\u202e') expect(text).not.toContain(character);
  expect(text).toContain('a\\x0ab');
  expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThan(300);
});
