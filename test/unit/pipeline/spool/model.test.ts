/** Random lives of a spool, each beside a model that says what every sink must get, may get again, and must not. */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { CrashDisk } from './crash-disk.ts';
import { createEventFates } from './event-fates.ts';
import { makeDirectory } from './fixture.ts';
import { startHost } from './host.ts';
import { type Command, type Life, life, SINKS } from './life.ts';
import { createSinkModel } from './sink-model.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});
afterEach(() => {
  vi.useRealTimers();
});

async function live(root: string, one: Life): Promise<void> {
  const host = await startHost(root, one);
  const syncsAlways = one.fsyncIntervalMs === 0;
  const fates = createEventFates();
  const models = { a: createSinkModel('a'), b: createSinkModel('b') };
  /** In this run. */
  let emitted = 0;
  let hasCrashed = false;

  function append(count: number, kilobytes: number): void {
    const { disk, fixture } = host;
    const fill = 'x'.repeat(kilobytes * 1000);
    const events = fates.add(count);
    emitted += count;
    fixture.append(events.map((event) => JSON.stringify({ event, fill })));
    if (disk.isFull || (disk.isBroken && syncsAlways)) return;
    fates.noteWritten();
    expect(fixture.opened.spool.memoryBytes, 'nothing waits in memory for a disk that takes it').toBe(0);
    if (syncsAlways) fates.noteSynced();
  }

  /** What is in files is on the disk, and every cursor is where it stands now. */
  function noteSaved(): void {
    if (host.disk.isBroken) return;
    fates.noteSynced();
    if (!host.disk.isFull) for (const model of Object.values(models)) model.noteSaved();
  }

  async function restart(next: CrashDisk): Promise<void> {
    for (const model of Object.values(models)) model.restart(host.fixture);
    fates.restart();
    emitted = 0;
    await host.start(next);
  }

  async function close(): Promise<void> {
    const { isFull, isBroken } = host.disk;
    await host.close();
    if (!isFull && !isBroken)
      for (const { dropped } of SINKS.map(host.fixture.account)) expect(dropped['shutdown']).toBe(undefined);
    noteSaved();
    await restart(await host.kill(null));
    Object.assign(host.disk, { isFull, isBroken });
  }

  async function obey(command: Command): Promise<void> {
    switch (command.do) {
      case 'append':
        return append(command.events, command.kilobytes);
      case 'take':
        models[command.sink].take(host.fixture, command.events, fates.end);
        return;
      case 'settle':
        if (!models[command.sink].settle(host.fixture, command.place)) return;
        if (!host.disk.isFull && !host.disk.isBroken)
          for (const model of Object.values(models)) model.noteWritten();
        return;
      case 'save':
        await host.save();
        return noteSaved();
      case 'full':
      case 'broken':
        host.disk[command.do === 'full' ? 'isFull' : 'isBroken'] = command.is;
        return host.passTime();
      case 'close':
        return close();
      case 'kill':
        fates.kill();
        for (const model of Object.values(models)) model.noteKill();
        return restart(await host.kill(command.during));
      case 'crash':
        hasCrashed = true;
        fates.crash();
        for (const model of Object.values(models)) model.noteCrash();
        return restart(await host.crash(command.during, command.how));
    }
  }

  function checkAccounts(): void {
    for (const model of Object.values(models)) model.checkAccount(host.fixture, emitted);
    if (!hasCrashed) expect(host.fixture.damages).toEqual([]);
  }

  /** Every sink gets what is left. */
  function drain(): void {
    for (const model of Object.values(models)) {
      do while (!model.isIdle) model.settle(host.fixture, 0);
      while (model.take(host.fixture, 100, fates.end));
      checkAccounts();
      model.checkMissing(host.fixture, fates.end, fates.excused, hasCrashed);
    }
  }

  try {
    for (const command of one.commands) {
      await obey(command);
      checkAccounts();
    }
    drain();
  } finally {
    await host.closeAll();
    rmSync(root, { recursive: true });
  }
}

test('a spool does what the model says, whatever happens to it', async () => {
  const root = makeDirectory();
  let lives = 0;
  await fc.assert(
    fc.asyncProperty(life, async (one) => {
      const directory = join(root, String(lives++));
      mkdirSync(directory);
      await live(directory, one);
    }),
    { numRuns: Number(process.env['KTC_LIVES'] ?? 300) },
  );
}, 600_000);
