/** Who the host is, where it does not say so properly. */
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { describe, expect, test } from 'vitest';
import { doubtsOf, parseMachineId, readIdentity } from '../../../../src/source/host/identity.ts';

const ID = '893f0b1c5a6d4e7f8091a2b3c4d5e6f7';

describe('a machine id', () => {
  test.each([
    [`${ID}\n`, ID],
    [ID, ID],
    [`${ID.toUpperCase()}\n`, ID],
  ])('is taken from %j', (text, id) => {
    expect(parseMachineId(text)).toBe(id);
  });

  test.each([
    '',
    '\n',
    'uninitialized\n',
    'uninitialized',
    `${'0'.repeat(32)}\n`,
    `${ID.slice(1)}\n`,
    `${ID}0\n`,
    `${ID}${ID}\n`,
    `${ID}\n\n`,
    `${ID}\r\n`,
    `${ID} \n`,
    ` ${ID}\n`,
    `\ufeff${ID}\n`,
    `${ID}\nuninitialized\n`,
    `uninitialized\n${ID}\n`,
    '893f0b1c-5a6d-4e7f-8091-a2b3c4d5e6f7\n',
    `${ID.slice(1)}g\n`,
    `${ID.slice(1)}\0`,
    '\u0663'.repeat(32),
  ])('is not known from %j', (text) => {
    expect(parseMachineId(text)).toBeNull();
  });
});

describe('what makes a host hard to tell from others', () => {
  const host = { hostName: 'web1', hostId: ID, bootId: 'b', release: 'r' };

  test('is nothing where it has an id and a name', () => {
    expect(doubtsOf(host)).toEqual([]);
  });

  test('is an id that is not known', () => {
    expect(doubtsOf({ ...host, hostId: null })).toEqual([
      'host_id is null: /etc/machine-id holds no machine id (systemd-machine-id-setup makes one)',
    ]);
  });

  test.each(['', '(none)', 'localhost', 'localhost.localdomain'])('is the name %j', (hostName) => {
    expect(doubtsOf({ ...host, hostName })).toEqual([
      `this host is called "${hostName}", as others are that nobody has named: hostnamectl set-hostname NAME, or set host.name`,
    ]);
  });
});

test('the configured name comes before that of the system', () => {
  expect(readIdentity('web1').hostName).toBe('web1');
  expect(readIdentity('')).toMatchObject({
    hostName: hostname(),
    bootId: readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(),
  });
});
