import { describe, expect, it } from 'vitest';
import { createOwners } from '../../../src/report/owners.ts';

/** Each host tells its addresses once a minute, from a minute to a minute. */
function ownersOf(claims: readonly { host: number; addresses: string[]; from: number; to: number }[]) {
  const owners = createOwners();
  for (let minute = 0; minute < 120; minute++)
    for (const { host, addresses, from, to } of claims)
      if (minute >= from && minute <= to) owners.claim(host, addresses, minute * 60);
  return owners;
}

describe('an address', () => {
  it('belongs to the one host that names it, also before its first host_status in the input', () => {
    const owners = ownersOf([{ host: 1, addresses: ['10.0.0.1'], from: 5, to: 119 }]);
    expect(owners.ownerAt('10.0.0.1', 0)).toBe(1);
    expect(owners.ownerAt('10.0.0.1', 6000)).toBe(1);
    expect(owners.ownerAt('10.0.0.2', 6000)).toBe('unknown');
  });

  it('that two hosts have at the same time is ambiguous', () => {
    const owners = ownersOf([
      { host: 1, addresses: ['10.99.0.1'], from: 0, to: 119 },
      { host: 2, addresses: ['10.99.0.1'], from: 0, to: 119 },
    ]);
    expect(owners.ownerAt('10.99.0.1', 600)).toBe('ambiguous');
  });

  it('that moves belongs to each in its time, and to nobody in between', () => {
    const owners = createOwners();
    for (let minute = 0; minute < 120; minute++) {
      owners.claim(1, minute < 55 ? ['10.0.0.1', '10.98.0.7'] : ['10.0.0.1'], minute * 60);
      owners.claim(2, minute >= 65 ? ['10.0.0.2', '10.98.0.7'] : ['10.0.0.2'], minute * 60);
    }
    expect([30, 54, 60, 65, 119].map((minute) => owners.ownerAt('10.98.0.7', minute * 60))).toEqual([
      ...[1, 1, 'unknown', 2, 2],
    ]);
  });
});
