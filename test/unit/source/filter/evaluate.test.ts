/** Filters that are decided here. test/system/filters.test.ts compares the answers with those of a real kernel. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type EventFormat, parseEventFormat } from '../../../../src/source/decode/format.ts';
import { compileFilter } from '../../../../src/source/filter/evaluate.ts';
import { FORMATS } from '../decode/record-bytes.ts';

function formatOf(file: string): EventFormat {
  const format = parseEventFormat(readFileSync(join(FORMATS, '6.1', file), 'utf8'));
  if (format === null) throw new Error(`${file} is not understood`);
  return format;
}

const format = formatOf('sock.inet_sock_set_state.format');
const AT = 8;
const CPU = 3;

/** A record of this event, some bytes behind the beginning of its page. */
const record = Buffer.alloc(AT + 72);
record.writeUInt16LE(1351, AT);
record.writeInt32LE(-5, AT + 4);
record.writeBigUInt64LE(0xffff_8880_0123_4567n, AT + 8);
record.writeInt32LE(-1, AT + 16);
record.writeInt32LE(7, AT + 20);
record.writeUInt16LE(40_000, AT + 24);
record.writeUInt16LE(443, AT + 26);
record.set([192, 0, 2, 1], AT + 32);

function passes(filter: string): boolean {
  const compiled = compileFilter(filter, format);
  if (!compiled.ok) throw new Error(compiled.problem);
  return compiled.value(record, AT, CPU);
}

describe('a filter that is decided here', () => {
  it.each([
    ['dport == 443', true],
    ['dport != 443', false],
    ['sport > 32767', true],
    ['sport >= 40000 && sport <= 40000', true],
    ['sport < 40000', false],
    // Cut to the field's 16 bits, as the kernel does.
    ['dport == 65979', true],
    // A leading 0 makes a number octal.
    ['dport == 0673', true],
    ['dport == 0x1bb', true],
    ['oldstate == -1', true],
    ['oldstate < 0', true],
    ['common_pid == -5', true],
    ['newstate & 0x8', false],
    ['newstate & 6', true],
    ['oldstate & 0x40000000', true],
    ['cpu == 3', true],
    ['CPU > 3', false],
    // The bytes of an address as a number of this machine.
    ['saddr == 0x010200c0', true],
    ['skaddr == 0xffff888001234567', true],
    ['skaddr > 0xffff888001234566', true],
    ['skaddr & 0x7', true],
    // && binds more tightly.
    ['dport == 443 || dport == 1 && sport == 1', true],
    ['sport == 1 && dport == 1 || dport == 443', true],
    ['sport == 1 && (dport == 1 || dport == 443)', false],
    ['!(dport == 443)', false],
    ['!dport == 80', true],
    ['!!(dport == 443) && newstate == 7', true],
  ])('%s: %s', (filter, expected) => expect(passes(filter)).toBe(expected));

  it.each([
    ['comm == "nginx"', 'a record has no "comm": use exclude.comms'],
    ['dport == "443"', '"dport" is a number, and has no text to compare'],
    ['dport ~ 443', '"dport" is a number, and has no text to compare'],
    ['saddr_v6 == 1', '"saddr_v6" has 16 bytes, which no filter can compare'],
    ['dport == -1', '"dport" cannot be compared with -1'],
    ['dport == 09', '"dport" cannot be compared with 09'],
    ['dport == 18446744073709551616', '"dport" cannot be compared with 18446744073709551616'],
    ['port == 1 && dport == 2', expect.stringMatching(/^inet_sock_set_state has no field "port"/)],
  ])('%s is refused', (filter, problem) => {
    expect(compileFilter(filter, format)).toEqual({ ok: false, problem });
  });
});
