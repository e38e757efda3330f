/** What the questions to ClickHouse cost, and what the events take on disk. */
import { writeFileSync } from 'node:fs';
import { expectedAnswers } from '../test/query/expected/answers.ts';
import { firstDifference } from '../test/query/expected/difference.ts';
import { fleetFacts } from '../test/query/expected/fleet.ts';
import { type Engine, startEngine } from '../test/support/chdb/engine.ts';
import { AS_NUMBERS } from '../test/support/chdb/http.ts';
import {
  isOfFleet,
  type LoadedFleet,
  loadFleet,
  parametersOf,
  questions,
} from '../test/support/chdb/questions.ts';
import { memoryOf } from '../test/support/memory.ts';
import { type Bench, figure, quantile, type Report } from './report.ts';

const MILLION = 1_000_000;
const MEBIBYTE = 2 ** 20;
const TIMES = 3;
/** Answers kept from the time before are not what is measured. */
const COLD = { use_query_condition_cache: '0', use_uncompressed_cache: '0' };

interface Cost {
  /** The best of several times: what others do on the machine only adds. */
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly rowsRead: number;
  /** Above what the engine held before, by the kernel's own high-water mark. */
  readonly peakMebibytes: number;
}

/** A figure about a wrong answer would be worth nothing. */
async function checkAnswers(engine: Engine, fleet: LoadedFleet): Promise<void> {
  const truths = expectedAnswers(fleetFacts(fleet));
  for (const question of questions().filter(isOfFleet)) {
    const parameters = parametersOf(question, fleet);
    const found = await engine.rows(question.sql, parameters, AS_NUMBERS);
    const difference = firstDifference(found, truths[question.name]?.(parameters) ?? []);
    if (difference !== null)
      throw new Error(`the answer to ${question.name} is wrong: ${JSON.stringify(difference)}`);
  }
}

async function measureQuestions(engine: Engine, fleet: LoadedFleet): Promise<Map<string, Cost>> {
  const costs = new Map<string, Cost>();
  for (const question of questions()) {
    const parameters = parametersOf(question, fleet);
    const seconds: number[] = [];
    // Sets the high-water mark back (proc(5)).
    writeFileSync(`/proc/${engine.pid}/clear_refs`, '5');
    const before = memoryOf(engine.pid, 'VmRSS');
    let rowsRead = 0;
    const cpuBefore = engine.cpuSeconds();
    for (let time = 0; time < TIMES; time++) {
      const began = performance.now();
      rowsRead = await engine.rowsRead(question.sql, parameters, COLD);
      seconds.push((performance.now() - began) / 1000);
    }
    const peakMebibytes = (memoryOf(engine.pid, 'VmHWM') - before) / MEBIBYTE;
    const cpuSeconds = (engine.cpuSeconds() - cpuBefore) / TIMES;
    costs.set(question.name, { seconds: Math.min(...seconds), cpuSeconds, rowsRead, peakMebibytes });
  }
  return costs;
}

const bytesPerRow = async (engine: Engine, table: string): Promise<number> => {
  await engine.query(`OPTIMIZE TABLE ktc.${table} FINAL`);
  return Number(
    await engine.value(
      `SELECT sum(bytes_on_disk) / sum(rows) FROM system.parts WHERE active AND database = 'ktc' AND table = '${table}'`,
    ),
  );
};

/** The same events in a table as one writes it down at first: texts as String, numbers as Nullable(Int64), by time. */
async function makeNaiveTable(engine: Engine): Promise<void> {
  const columns = await engine.rows(
    `SELECT name, type FROM system.columns WHERE database = 'ktc' AND table = 'events'
      AND default_kind NOT IN ('MATERIALIZED', 'DEFAULT') AND name NOT IN ('session', 'ordinal')`,
  );
  const naive = columns.map(({ name, type }) => {
    if (name === 'timestamp') return 'timestamp';
    if (String(type).startsWith('Map')) return `toJSONString(${name}) AS ${name}`;
    const wanted = /Int/.test(String(type)) ? 'Nullable(Int64)' : 'Nullable(String)';
    return `CAST(toString(${name}), '${wanted}') AS ${name}`;
  });
  await engine.query(
    `CREATE TABLE ktc.naive ENGINE = MergeTree ORDER BY timestamp AS SELECT ${naive.join(', ')} FROM ktc.events FINAL`,
  );
}

/** Makes ten times as many rows: each event also from nine other boots. */
async function multiply(engine: Engine): Promise<void> {
  for (let boot = 1; boot < 10; boot++) {
    await engine.query(`INSERT INTO ktc.events (* EXCEPT (datacenter, rack, role, service, owner, event_id, community_id))
      SELECT * REPLACE (concat(boot_id, '${boot}') AS boot_id) FROM ktc.events AS e FINAL WHERE length(e.boot_id) = 36`);
  }
}

export const query: Bench = async (quick): Promise<Report> => {
  const events = quick ? MILLION / 10 : MILLION;
  const engine = await startEngine('26.9');
  try {
    await engine.apply();
    const startMs = Math.floor(Date.now() / 3_600_000) * 3_600_000 - 4 * 3_600_000;
    const cpuBefore = engine.cpuSeconds();
    const fleet = await loadFleet(engine, { events, startMs });
    const cpuPerEvent = ((engine.cpuSeconds() - cpuBefore) * 1e6) / fleet.truth().delivered;
    await checkAnswers(engine, fleet);
    const rows = Number(await engine.value('SELECT count() FROM events FINAL'));
    await makeNaiveTable(engine);
    const [kept, naive, seen] = [
      await bytesPerRow(engine, 'events'),
      await bytesPerRow(engine, 'naive'),
      Number(
        await engine.value(
          `SELECT sum(bytes_on_disk) / ${rows} FROM system.parts WHERE active AND database = 'ktc' AND table = 'seen'`,
        ),
      ),
    ];
    await engine.query('DROP TABLE ktc.naive');
    const perAddress = Number(
      await engine.value(
        "SELECT bytes_allocated / element_count FROM system.dictionaries WHERE name = 'peers'",
      ),
    );
    const small = await measureQuestions(engine, fleet);
    await multiply(engine);
    const large = await measureQuestions(engine, fleet);
    const seconds = [...large.values()].map((cost) => cost.seconds);
    return {
      tables: [
        {
          title: 'Questions to ClickHouse',
          script: 'bench/query.ts',
          columns: [
            'question',
            's at 1×',
            's at 10×',
            'growth',
            'CPU s at 10×',
            'rows read at 10×',
            'MiB more at 10×',
          ],
          rows: [...large].map(([name, cost]) => {
            const before = small.get(name) ?? cost;
            return [
              name,
              figure(before.seconds),
              figure(cost.seconds),
              `${figure(cost.seconds / before.seconds)}×`,
              figure(cost.cpuSeconds),
              figure(cost.rowsRead),
              figure(cost.peakMebibytes),
            ];
          }),
          notes: [
            `1× is ${figure(rows)} events of the made fleet of the tests, 10× the same with nine other boots of each host. All questions ask for the whole two hours. Each answer at 1× is the true one, which is counted without SQL. Engine: ClickHouse 26.9 (chdb 4.4.0) best of ${TIMES}, condition cache off.`,
          ],
        },
        {
          title: 'Events in ClickHouse',
          script: 'bench/query.ts',
          columns: ['what', 'bytes per event'],
          rows: [
            ['query/clickhouse, table events', figure(kept)],
            ['the same events with naive types, by time', figure(naive)],
            ['bitmaps of the proof, table seen', figure(seen)],
          ],
          notes: [
            `Parsing, sorting and storing an event takes ${figure(cpuPerEvent)} µs of CPU. The dictionary of peers takes ${figure(perAddress)} bytes of memory per address and owner.`,
          ],
        },
      ],
      bars: [
        {
          what: 'bytes per event in ClickHouse, beside naive types',
          value: kept / naive,
          limit: 0.33,
          unit: '×',
        },
        {
          what: 'p95 of the questions at 10×',
          value: quantile(seconds, 0.95),
          limit: 1,
          unit: 's',
        },
      ],
    };
  } finally {
    await engine.stop();
  }
};
