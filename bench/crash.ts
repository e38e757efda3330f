/** How much a killed agent had read and not spooled, as the next one counts it, and what comes twice. */
import { setTimeout as delay } from 'node:timers/promises';
import { type Ending, onStage, RECORDS_PER_SECOND, type Stage } from '../test/system/faults/stage.ts';
import { type Bench, figure, quantile } from './report.ts';

const LONGEST_RUN_MS = 1_000;

/** Starts an agent and kills it at a random moment after it has begun to read. */
async function startAndKill(stage: Stage): Promise<void> {
  await stage.start({ awaitReady: false });
  await stage.says('reading kernel events');
  await delay(Math.random() * LONGEST_RUN_MS);
  await stage.stop('SIGKILL');
}

/** Records that are neither among the events nor counted as lost by a kill; 0 is to the unit. */
function unaccounted({ kernel, found, crashes }: Ending): number {
  return kernel.read - found.records.unique - crashes.reduce((sum, records) => sum + records, 0);
}

export const crash: Bench = async (quick) => {
  const kills = quick ? 5 : 200;
  const ending = await onStage({}, async (stage) => {
    await stage.start();
    await stage.traffic();
    await stage.delivers(1_000);
    await stage.stop('SIGKILL');
    for (let killed = 1; killed < kills; killed++) await startAndKill(stage);
    await stage.start();
    return stage.finish();
  });
  const { crashes, kernel, found, seconds } = ending;
  // A run in which nothing was lost says nothing of it.
  const counts = Array.from({ length: kills }, (_, index) => crashes[index] ?? 0);
  const twice = (found.all.doubled / found.all.unique) * 100;
  const missing = unaccounted(ending);
  return {
    tables: [
      {
        title: 'A killed agent',
        script: 'bench/crash.ts',
        columns: [
          'kills',
          'events/s',
          'records read by all runs',
          'records lost per kill: median, 90th percentile, most',
          'not accounted for',
          'events that came twice',
          'with other bytes',
        ],
        rows: [
          [
            String(kills),
            figure(found.all.unique / seconds),
            kernel.read.toLocaleString('en'),
            [0.5, 0.9, 1].map((share) => quantile(counts, share)).join(', '),
            String(missing),
            `${found.all.doubled.toLocaleString('en')} (${figure(twice)} %)`,
            String(found.all.changed.length),
          ],
        ],
        notes: [
          `At ${RECORDS_PER_SECOND.toLocaleString('en')} records per second, with the defaults and a file as the sink, killed -9 within ${LONGEST_RUN_MS / 1000} s after it has begun to read.`,
        ],
      },
    ],
    bars: [
      { what: 'records lost per kill, median', value: quantile(counts, 0.5), limit: 0, unit: 'records' },
      {
        what: 'records lost per kill, 90th percentile',
        value: quantile(counts, 0.9),
        limit: 50,
        unit: 'records',
      },
      { what: 'records not accounted for', value: Math.abs(missing), limit: 0, unit: 'records' },
      { what: 'events that come twice', value: twice, limit: 1, unit: '%' },
      {
        what: 'events that come with other bytes',
        value: found.all.changed.length,
        limit: 0,
        unit: 'events',
      },
    ],
  };
};
