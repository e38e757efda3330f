import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseEventFormat, parsePageFormat } from '../../../../src/source/decode/format.ts';

const FORMATS = join(import.meta.dirname, '../../../fixtures/formats');
const kernels = readdirSync(FORMATS);

const fixture = (kernel: string, file: string): string => readFileSync(join(FORMATS, kernel, file), 'utf8');

describe.each(kernels)('the format files of %s', (kernel) => {
  it('are understood, every field of them', () => {
    const files = readdirSync(join(FORMATS, kernel)).filter((name) => name.endsWith('.format'));
    expect(files).toHaveLength(5);
    for (const file of files) {
      const text = fixture(kernel, file);
      const format = parseEventFormat(text);
      expect(`${file.split('.')[1]}`).toBe(format?.name);
      expect(format?.fields.size).toBe(text.match(/^\tfield:/gm)?.length);
      for (const { offset, size } of format?.fields.values() ?? []) expect(offset + size).toBeGreaterThan(0);
    }
  });

  it('tell a page of 4096 bytes', () => {
    const format = parsePageFormat(fixture(kernel, 'header_page'));
    expect(format).toMatchObject({
      timestamp: { offset: 0, size: 8, signed: false },
      commit: { offset: 8, size: 8, signed: true },
      data: { offset: 16, size: 4080 },
    });
  });
});

describe('a format file', () => {
  it('gives what it says, with arrays and pointers', () => {
    const format = parseEventFormat(fixture('6.1', 'tcp.tcp_retransmit_skb.format'));
    expect(format?.fields.get('common_type')).toEqual({ offset: 0, size: 2, signed: false });
    expect(format?.fields.get('common_pid')).toEqual({ offset: 4, size: 4, signed: true });
    expect(format?.fields.get('skaddr')).toEqual({ offset: 16, size: 8, signed: false });
    expect(format?.fields.get('saddr')).toEqual({ offset: 34, size: 4, signed: false });
    expect(format?.fields.get('daddr_v6')).toEqual({ offset: 58, size: 16, signed: false });
  });

  it('may have an array whose size is an expression, as some kernels print it', () => {
    const text = fixture('6.18', 'tcp.tcp_send_reset.format').replaceAll(
      '[28]',
      '[sizeof(struct sockaddr_in6)]',
    );
    expect(parseEventFormat(text)?.fields.get('saddr')).toEqual({ offset: 32, size: 28, signed: false });
  });

  it('may be spaced otherwise', () => {
    const text = fixture('6.1', 'header_page')
      .replaceAll(/\s+(?=offset|size|signed)/g, '')
      .replaceAll('\t', '  ');
    expect(text).toContain('  field: u64 timestamp;offset:0;size:8;signed:0;');
    expect(parsePageFormat(text)).toEqual(parsePageFormat(fixture('6.1', 'header_page')));
    expect(parsePageFormat(text.replaceAll(/^ +/gm, ''))).toEqual(parsePageFormat(text));
    expect(parsePageFormat(text.replaceAll(';', ';  '))).toEqual(parsePageFormat(text));
  });

  it('has fields only in lines that begin as one, and only such as have a name', () => {
    const text = fixture('6.1', 'tcp.tcp_retransmit_skb.format');
    const noFields = [
      'print fmt: field:int printed;\toffset:0;\tsize:4;\tsigned:1;',
      '\tfield:void *;\toffset:0;\tsize:8;\tsigned:0;',
    ];
    expect(parseEventFormat([text, ...noFields].join('\n'))).toEqual(parseEventFormat(text));
  });

  it.each([
    ['name: tcp_retransmit_skb', 'name: two words'],
    ['name: tcp_retransmit_skb', 'rename: tcp_retransmit_skb'],
    [/^ID: \d+$/m, 'ID: 12x'],
    [/^ID: \d+$/m, 'UUID: 12'],
    ['common_type', 'type'],
  ])('without its %s, for which it has %s, is none', (found, put) => {
    const text = fixture('6.1', 'tcp.tcp_retransmit_skb.format');
    expect(parseEventFormat(text)).not.toBeNull();
    expect(parseEventFormat(text.replace(found, put))).toBeNull();
  });

  it.each(['timestamp', 'commit', 'data'])('of a page without %s is none', (field) => {
    expect(parsePageFormat(fixture('6.1', 'header_page').replace(` ${field};`, ' other;'))).toBeNull();
  });

  it('that is none is null', () => {
    expect(parseEventFormat('')).toBeNull();
    expect(parseEventFormat('name: x\nID: 5\n')).toBeNull();
    expect(parseEventFormat(fixture('6.1', 'header_page'))).toBeNull();
    expect(parsePageFormat('')).toBeNull();
    expect(parsePageFormat(fixture('6.1', 'tcp.tcp_retransmit_skb.format'))).toBeNull();
  });
});
