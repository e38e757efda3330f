import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseEventFormat } from '../../../src/source/decode/format.ts';
import { compileFilter } from '../../../src/source/filter/evaluate.ts';
import { PROBES, TRACEPOINTS } from '../../../src/source/probes.ts';
import type { OptionValues } from '../../../src/tool/choice.ts';
import { createFilter, probesOf } from '../../../src/tool/filter.ts';
import { TOOL_NAMES, TOOLS, type ToolName } from '../../../src/tool/tool.ts';
import { taskOf } from '../../support/tasks.ts';
import { choiceOf, type DraftFields, draftOf } from './drafts.ts';

function wants(tool: ToolName, values: OptionValues, fields: DraftFields): boolean {
  const filter = createFilter(TOOLS[tool], choiceOf(tool, values), { uidOf: ({ pid }) => (pid ?? 0) + 1000 });
  return filter(draftOf(fields));
}

describe('in the agent', () => {
  const cases: [ToolName, OptionValues, DraftFields, DraftFields][] = [
    ['tcplife', { pid: '4242' }, {}, { task: taskOf(1, 'x') }],
    ['tcplife', { pid: '4242' }, {}, { isOwner: false }],
    ['tcplife', { unit: 'a.service' }, { task: taskOf(1, 'x', { unit: 'a.service' }) }, {}],
    ['tcpconnect', { uid: '5242' }, {}, { isOwner: false }],
    ['tcplife', { 'local-port': '80,5432' }, {}, { localPort: 81 }],
    ['tcplife', { 'remote-port': '41822' }, {}, { remotePort: 5432 }],
    ['tcplife', { ipv4: true }, {}, { version: 6 }],
    ['tcplife', { ipv6: true }, { version: 6 }, {}],
    ['tcplife', { 'min-ms': '5' }, { durationUs: 5000 }, { durationUs: 4999 }],
    ['tcpconnlat', { 'min-ms': '5' }, { latencyUs: 5000 }, { latencyUs: -1 }],
    ['tcpretrans', {}, { retransmitKind: 'unknown' }, { retransmitKind: 'tlp' }],
  ];
  it.each(cases)('%s with %j takes %j and not %j', (tool, values, wanted, unwanted) => {
    expect(wants(tool, values, wanted)).toBe(true);
    expect(wants(tool, values, unwanted)).toBe(false);
  });

  it('takes all with no filter, and loss probes where asked for', () => {
    expect(wants('tcpstates', {}, { isOwner: false, localPort: null })).toBe(true);
    expect(wants('tcpretrans', { 'loss-probes': true }, { retransmitKind: 'tlp' })).toBe(true);
  });

  it('filters C-PID as it is shown', () => {
    expect(wants('tcpstates', { pid: '4242' }, { isOwner: false })).toBe(true);
  });
});

describe('in the kernel', () => {
  const filterOf = (tool: ToolName, values: OptionValues, probe: (typeof PROBES)[number]) =>
    probesOf(TOOLS[tool], choiceOf(tool, values))[probe];

  it('ports narrow only records that have both ends', () => {
    const values = { 'local-port': '80,443', 'remote-port': '7' };
    const ports = '(sport == 80 || sport == 443) && (dport == 7)';
    expect(filterOf('tcpretrans', values, 'tcp_retransmit_skb').filter).toBe(ports);
    expect(filterOf('tcpretrans', values, 'tcp_retransmit_synack').filter).toBe(ports);
    expect(filterOf('tcpaccept', values, 'inet_csk_accept').filter).toBe(ports);
    for (const tool of TOOL_NAMES) {
      expect(filterOf(tool, values, 'tcp_set_state')).toEqual(filterOf(tool, {}, 'tcp_set_state'));
    }
  });

  it('--ipv6 narrows every probe; --ipv4 none, as it comes through IPv6 sockets too', () => {
    expect(filterOf('tcpstates', { ipv6: true }, 'tcp_set_state').filter).toBe('family == 10');
    expect(filterOf('tcpretrans', { ipv6: true }, 'tcp_set_state').filter).toBe(
      '(newstate == 2) && (family == 10)',
    );
    expect(filterOf('tcpretrans', { ipv4: true }, 'tcp_retransmit_skb').filter).toBe('');
  });

  it('no tool asks for a probe that it does not need', () => {
    expect(filterOf('tcpconnect', {}, 'inet_csk_accept').enabled).toBe(false);
    expect(filterOf('tcpretrans', {}, 'tcp_send_loss_probe').enabled).toBe(false);
    expect(filterOf('tcpretrans', { 'loss-probes': true }, 'tcp_send_loss_probe').enabled).toBe(true);
    for (const tool of TOOL_NAMES) expect(filterOf(tool, {}, 'tcp_send_reset').enabled).toBe(false);
  });

  const formats = join(import.meta.dirname, '../../fixtures/formats');
  it.each(readdirSync(formats))('Linux %s understands every filter', (release) => {
    const values = { ipv6: true, 'local-port': '80', 'remote-port': '1,2' };
    for (const tool of TOOL_NAMES) {
      for (const probe of PROBES) {
        const { enabled, filter } = filterOf(tool, values, probe);
        const event = TRACEPOINTS.events[probe];
        if (!enabled || event === null) continue;
        const format = parseEventFormat(
          readFileSync(join(formats, release, `${event.replace('/', '.')}.format`), 'utf8'),
        );
        if (format === null) throw new Error(`no format of ${event}`);
        if (filter !== '') expect(compileFilter(filter, format)).toMatchObject({ ok: true });
      }
    }
  });
});
