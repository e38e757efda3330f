import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseEventFormat } from '../../../../src/source/decode/format.ts';
import { parseFilter } from '../../../../src/source/filter/parse.ts';

const file = '../../../fixtures/formats/6.1/tcp.tcp_retransmit_skb.format';
const format = parseEventFormat(readFileSync(join(import.meta.dirname, file), 'utf8'));
if (format === null) throw new Error(`${file} is not understood`);
const check = (filter: string) => parseFilter(filter, format);

describe('a filter', () => {
  it.each([
    'dport == 443',
    'dport==443',
    ' dport == 443 ',
    'sport >= 1024 && sport <= 65535',
    'sport < 1024 || dport > 0x1bb',
    '!(dport == 443)',
    '!!(dport == 443)',
    '(sport == 1 || (dport != 2 && state == 1))',
    'state & 0x3',
    'common_pid != 0',
    'cpu == 1',
    'comm == "nginx"',
    "comm ~ 'ngi*'",
    'state == -1',
  ])('%s is one', (filter) => expect(check(filter)).toMatchObject({ ok: true }));

  it.each([
    ['', 'expected a field name, found the end'],
    ['   ', 'expected a field name, found the end'],
    [
      'port == 443',
      'tcp_retransmit_skb has no field "port" (it has common_pid, skbaddr, skaddr, state, sport, dport, family, ' +
        'saddr, daddr, saddr_v6, daddr_v6, cpu, comm)',
    ],
    ['dport = 443', 'unexpected "=" at character 7'],
    ['dport == ', 'expected a value after "dport ==", found the end'],
    ['dport == sport', 'expected a value after "dport ==", found "sport"'],
    ['dport', 'expected a comparison after "dport", found the end'],
    ['dport && sport == 1', 'expected a comparison after "dport", found "&&"'],
    ['443 == dport', 'expected a field name, found "443"'],
    ['(dport == 443', 'expected ")", found the end'],
    ['dport == 443)', 'expected "&&" or "||", found ")"'],
    ['dport == 443 sport == 1', 'expected "&&" or "||", found "sport"'],
    ['dport == 443 and sport == 1', 'expected "&&" or "||", found "and"'],
    ['dport == 443 &&', 'expected a field name, found the end'],
    ['dport == 443 # web', 'unexpected "#" at character 14'],
    ['comm == "nginx', 'unexpected """ at character 9'],
    ['dport == 443;', 'unexpected ";" at character 13'],
  ])('%s is none', (filter, problem) => expect(check(filter)).toEqual({ ok: false, problem }));

  it('cannot be longer than a page', () => {
    const problem = "longer than the kernel's 4095 bytes";
    expect(check(`dport == ${'4'.repeat(4096)}`)).toEqual({ ok: false, problem });
  });
});
