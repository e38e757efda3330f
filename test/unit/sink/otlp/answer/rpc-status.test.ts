import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeStatus } from '../../../../../src/sink/otlp/answer/rpc-status.ts';
import { boundedPause, oneLine } from '../../../../../src/sink/otlp/answer/verdict.ts';
import { retryInfo, rpcStatus } from '../../../../support/rpc-status.ts';

describe('google.rpc.Status', () => {
  it.each([
    ['without details', rpcStatus(14, 'queue is full'), { message: 'queue is full', retryAfterMs: null }],
    [
      'with a delay',
      rpcStatus(8, 'busy', [retryInfo({ seconds: 90, nanos: 1 })]),
      { message: 'busy', retryAfterMs: 90_001 },
    ],
    ['with a RetryInfo without delay', rpcStatus(8, '', [retryInfo(null)]), { message: '', retryAfterMs: 0 }],
    ['with nothing', Buffer.alloc(0), { message: '', retryAfterMs: null }],
  ])('%s', (_, bytes, status) => {
    expect(decodeStatus(bytes)).toEqual(status);
  });

  it('is not read out of text', () => {
    expect(decodeStatus(Buffer.from('<html><body>502 Bad Gateway</body></html>'))).toBeNull();
  });

  it('never throws and never reads past its end, whatever the bytes', () => {
    const whole = rpcStatus(8, 'busy', [retryInfo({ seconds: 3, nanos: 5 })]);
    for (let length = 0; length < whole.length; length++) decodeStatus(whole.subarray(0, length));
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        const status = decodeStatus(bytes);
        expect(status === null || status.message.length <= bytes.length).toBe(true);
      }),
      { numRuns: 5_000 },
    );
  });
});

describe('what a receiver says', () => {
  it('is one line of bounded length', () => {
    expect(oneLine('a\r\n\tb\u2028c \u0007 d')).toBe('a b c d');
    expect(oneLine('x'.repeat(10_000))).toHaveLength(301);
  });

  it.each([
    [0, null],
    [-5, null],
    [Number.NaN, null],
    [1, 1],
    [600_000, 600_000],
    [Number.POSITIVE_INFINITY, 600_000],
  ])('about a pause of %s ms is taken as %s', (asked, taken) => {
    expect(boundedPause(asked)).toBe(taken);
  });
});
