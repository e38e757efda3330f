import { describe, expect, it } from 'vitest';
import { withoutNodeAdvice } from '../../../src/sink/tls-files.ts';

describe('the message of a connection that TLS refuses', () => {
  it('has no advice to run Node.js with an option', () => {
    expect(
      withoutNodeAdvice(
        'unable to verify the first certificate; if the root CA is installed locally, try running Node.js with --use-system-ca',
      ),
    ).toBe('unable to verify the first certificate');
  });

  it('is as it was where there is none', () => {
    expect(withoutNodeAdvice('certificate has expired')).toBe('certificate has expired');
  });
});
