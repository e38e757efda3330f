import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseJson } from '../../../src/config/json.ts';

function parsePlatform(text: string): { ok: boolean; value?: unknown } {
  try {
    return { ok: true, value: JSON.parse(text) };
  } catch {
    return { ok: false };
  }
}

describe('parseJson', () => {
  it('gives what JSON.parse gives for every JSON text', () => {
    fc.assert(
      fc.property(fc.json(), fc.constantFrom(0, 1, '\t'), (text, indent) => {
        const value: unknown = JSON.parse(text);
        expect(parseJson(JSON.stringify(value, null, indent))).toEqual({ ok: true, value });
      }),
    );
  });

  it('takes and refuses the same texts as JSON.parse, but for equal keys', () => {
    const pieces = [
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"a"',
      '"',
      '\\',
      '\\u00e9',
      '1',
      '-',
      '0',
      '.5',
      'e3',
      'true',
      'nul',
      'null',
    ];
    const text = fc.array(fc.constantFrom(...pieces, ' ', '\n', '\u0001', 'é'), { maxLength: 12 });
    fc.assert(
      fc.property(text, (parts) => {
        const result = parseJson(parts.join(''));
        if (!result.ok && result.problem.includes('there twice')) return;
        const { ok, value } = parsePlatform(parts.join(''));
        expect(result.ok ? { ok: true, value: result.value } : { ok: false }).toEqual(
          ok ? { ok, value } : { ok },
        );
      }),
      { numRuns: 20_000 },
    );
  });

  it.each([
    ['{"a": 1 "b": 2}', 1, 9, 'expected "," or "}"'],
    ['{"a" 1}', 1, 6, 'expected ":"'],
    ['{"a": [1, 2\n}', 2, 1, 'expected "," or "]"'],
    ['[1,]', 1, 4, 'expected a value'],
    ['{}\n\n{}', 3, 1, 'expected nothing more'],
    ['{"a": "x\ny"}', 1, 7, 'a string with a bad escape, a line break or no end'],
    ['{"a": "\\q"}', 1, 7, 'a string with a bad escape, a line break or no end'],
    ["{'a': 1}", 1, 2, 'expected a key in double quotes'],
    ['{"a": 01}', 1, 8, 'expected "," or "}"'],
    ['', 1, 1, 'expected a value, found the end'],
  ])('names the place of the mistake in %j', (text, line, column, problem) => {
    expect(parseJson(text)).toEqual({ ok: false, line, column, problem });
  });

  it('refuses a million open brackets without running out of stack', () => {
    expect(parseJson('['.repeat(1_000_000))).toMatchObject({ ok: false, problem: 'nested too deep' });
  });

  it('keeps a key named __proto__ a key', () => {
    const result = parseJson('{"__proto__": {"polluted": true}}');
    expect(result.ok && Object.keys(result.value as object)).toEqual(['__proto__']);
    expect(Reflect.get({}, 'polluted')).toBeUndefined();
  });
});
