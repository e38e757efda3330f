/**
 * Upgrade and rollback across a change of the module's API, under lossy traffic: the older release knows API 1 only, this one
 * reads both. Each agent finds the module of its release on the disk, and the other's in the kernel.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { KtcEvent } from '../../src/event/tcp-event.ts';
import { buildGuestModule } from '../support/guest/module.ts';
import { bootGuest, guestAgentUnavailable } from '../support/guest.ts';
import { buildOlderRelease, OLDER_VERSION } from '../support/older-release.ts';
import { VERSION } from '../support/packages.ts';
import { describeSessions } from '../support/sessions.ts';
import { missingIn } from '../support/topic-questions.ts';
import { compile } from '../support/traffic/traffic.ts';

const KERNEL = '6.1';
const unavailable = guestAgentUnavailable(KERNEL);
if (unavailable !== undefined) console.warn(`skipped: another API of the module: ${unavailable}`);

test.skipIf(unavailable !== undefined)(
  'goes to another API of the module and back, loses nothing, and accounts for every event',
  async () => {
    const directory = mkdtempSync(join(tmpdir(), 'ktc-module-upgrade-'));
    onTestFinished(() => rmSync(directory, { recursive: true }));
    const older = buildOlderRelease(directory, KERNEL);
    const { exitCode, outputs, console } = await bootGuest({
      kernel: KERNEL,
      node: true,
      // The module's hooks come and go.
      emulation: 'serial',
      programs: ['/usr/sbin/ip', '/usr/sbin/tc', '/usr/bin/ss'],
      modules: ['veth', 'sch_netem', 'tcp_diag'],
      files: {
        '/older.cjs': older.agent,
        '/older.ko': older.module,
        '/newer.ko': buildGuestModule(KERNEL),
        '/connections': await compile('connections'),
        '/link.sh': join(import.meta.dirname, '../support/guest/link.sh'),
        '/module-upgrade.sh': join(import.meta.dirname, '../support/guest/module-upgrade.sh'),
      },
      script: 'sh /module-upgrade.sh',
    });
    const output = (name: string): string => outputs.get(name)?.toString() ?? '';
    expect(exitCode, console + output('agent.log')).toBe(0);
    // In the kernel while each agent runs.
    expect(output('apis')).toBe('1\n1\n2\n1\n');

    const topic = join(directory, 'topic.ndjson');
    writeFileSync(topic, output('events'));
    expect(missingIn(topic)).toEqual([]);
    const events = output('events')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as KtcEvent);
    const sessions = describeSessions(events);
    expect(sessions.map(({ version }) => version)).toEqual([OLDER_VERSION, VERSION, VERSION, OLDER_VERSION]);
    expect(sessions.map(({ saysSent }) => saysSent)).toEqual([false, false, true, false]);
    for (const session of sessions) {
      expect(session.found).toBe(session.emitted);
      expect(session.lost).toEqual({});
      expect(session.retransmits).toBeGreaterThan(0);
    }
  },
);
