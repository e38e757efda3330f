/** How much a killed agent had read and not spooled, as the next one counts it. */
import { setTimeout as delay } from 'node:timers/promises';
import { onStage, RECORDS_PER_SECOND, type Stage } from '../test/system/faults/stage.ts';
import { type Bench, spread } from './report.ts';

const LONGEST_RUN_MS = 1_000;
/** `batch.linger_ms`, as it is by default. */
const LINGER_MS = 200;
/**
 * What one round of reading takes at most, 32 pages of some 53 records each when it is catching up, behind a batch that
 * is not full yet.
 */
const RECORDS_PER_ROUND = 2_500;

/** Starts an agent and kills it at a random moment after it has begun to read. */
async function startAndKill(stage: Stage): Promise<void> {
  await stage.start({ awaitReady: false });
  await stage.says('reading kernel events');
  await delay(Math.random() * LONGEST_RUN_MS);
  await stage.stop('SIGKILL');
}

export const crash: Bench = async (quick) => {
  const kills = quick ? 2 : 20;
  const { crashes, kernel } = await onStage({ spool: { fsync_interval_ms: 1_000 } }, async (stage) => {
    await stage.start();
    await stage.traffic();
    await stage.delivers(1_000);
    await stage.stop('SIGKILL');
    for (let killed = 1; killed < kills; killed++) await startAndKill(stage);
    await stage.start();
    return stage.finish();
  });
  // A run in which nothing was lost says nothing of it.
  const counts = Array.from({ length: kills }, (_, index) => crashes[index] ?? 0);
  return {
    tables: [
      {
        title: 'A killed agent',
        script: 'bench/crash.ts',
        columns: ['kills', 'records read by all runs', 'records lost per kill'],
        rows: [[String(kills), kernel.read.toLocaleString('en'), spread(counts)]],
        notes: [
          `At ${RECORDS_PER_SECOND.toLocaleString('en')} records per second, killed -9 within ${LONGEST_RUN_MS / 1000} s after it has begun to read, spool.fsync_interval_ms 1000.`,
        ],
      },
    ],
    bars: [
      {
        what: 'records lost per kill, most',
        value: Math.max(...counts),
        limit: RECORDS_PER_ROUND + RECORDS_PER_SECOND * (LINGER_MS / 1_000),
        unit: 'records',
      },
    ],
  };
};
