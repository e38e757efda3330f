import { describe, expect, it, onTestFinished } from 'vitest';
import { accountToBecome } from '../../../src/agent/privileges.ts';
import { configOf } from './files.ts';

const isRoot = process.geteuid?.() === 0;
if (!isRoot) console.warn('skipped: whom the agent becomes: needs root');

const become = (flags: Record<string, string>) =>
  accountToBecome(configOf({ 'sink.stdout.enabled': 'true', ...flags }).config);
const DAEMON = { user: 'daemon', uid: 1, gid: 1 };

function withoutRoot(): void {
  process.seteuid?.(DAEMON.uid);
  onTestFinished(() => process.seteuid?.(0));
}

describe.skipIf(!isRoot)('whom the agent becomes', () => {
  it.each([
    ['nobody, unless configured', {}, null],
    ['the user that is named', { 'process.user': 'daemon' }, DAEMON],
    ['the user of that number', { 'process.user': '1' }, DAEMON],
    ['another group', { 'process.user': 'daemon', 'process.group': 'root' }, { ...DAEMON, gid: 0 }],
    ['nobody where root is named', { 'process.user': 'root' }, null],
  ])('is %s', (_, flags, account) => {
    expect(become(flags)).toEqual({ ok: true, value: account });
  });

  it('is nobody without root, whoever is named', () => {
    withoutRoot();
    expect(become({ 'process.user': 'not-there' })).toEqual({ ok: true, value: null });
  });

  it('needs a user for a group', () => {
    expect(() => become({ 'process.group': 'daemon' })).toThrow('needs process.user');
  });
});
