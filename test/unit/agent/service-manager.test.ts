import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { findServiceManager } from '../../../src/agent/service-manager.ts';

test('without a service manager there is none', () => {
  expect(findServiceManager({}, 1)).toBeNull();
  expect(findServiceManager({ NOTIFY_FD: 'three' }, 1)).toBeNull();
});

test('its variables are taken out of the environment, so that no child speaks for the service', () => {
  const environment = { NOTIFY_FD: '3', WATCHDOG_USEC: '60000000', WATCHDOG_PID: '7', PATH: '/bin' };
  expect(findServiceManager(environment, 7)?.watchdogMs).toBe(60_000);
  expect(environment).toEqual({ PATH: '/bin' });
});

test.each([
  ['nobody watches', {}, null],
  ['another process is watched', { WATCHDOG_USEC: '60000000', WATCHDOG_PID: '8' }, null],
  ['the process is not named', { WATCHDOG_USEC: '1500000' }, 1_500],
])('the interval of the watchdog where %s', (_, more, expected) => {
  expect(findServiceManager({ NOTIFY_FD: '3', ...more }, 7)?.watchdogMs).toBe(expected);
});

test('what it is told arrives at the descriptor; a fault of that is a refusal', () => {
  const directory = mkdtempSync(join(tmpdir(), 'ktc-notify-'));
  try {
    const file = join(directory, 'told');
    const descriptor = openSync(file, 'w');
    const manager = findServiceManager({ NOTIFY_FD: String(descriptor) }, 7);
    expect(manager?.tell('READY=1')).toEqual({ ok: true });
    expect(readFileSync(file, 'utf8')).toBe('READY=1');
    closeSync(descriptor);
    expect(manager?.tell('STOPPING=1')).toEqual({
      ok: false,
      problem: expect.stringMatching(/^systemd was not told STOPPING=1: EBADF/),
    });
  } finally {
    rmSync(directory, { recursive: true });
  }
});
