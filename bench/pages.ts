/** From the kernel's ring buffer to JSON: the agent, two readers of trace_pipe and bpftrace, on the same events. */
import { basename } from 'node:path';
import { bufferCpus, type Instance, removeInstance, writeSetting } from '../src/source/ftrace/instance.ts';
import { openStats } from '../src/source/ftrace/stats.ts';
import { openTracefs } from '../src/source/ftrace/tracefs.ts';
import { runSteady } from '../test/support/traffic/traffic.ts';
import { startBpftrace } from './pages/bpftrace.ts';
import { type Cost, type ReaderResult, startReader } from './pages/reader.ts';
import { type Bar, type Bench, figure, median, spread } from './report.ts';

type Round = Readonly<Record<'agent' | 'plain' | 'tuned' | 'bpftrace', ReaderResult>>;

/** Some 90 bytes a record, on whichever CPU. */
const BUFFER_KB = 64 * 1024;
/** About ten records each. */
const CONNECTIONS_PER_SECOND = 2_500;

function instanceOf(kind: string): Instance {
  const tracefs = openTracefs();
  if (!tracefs.ok) throw new Error(tracefs.problem);
  const name = `ktc-bench-${kind}-${process.pid}`;
  return { path: `${tracefs.value}/instances/${name}`, takenOver: false };
}

/** Stops recording, and says how much there is. */
function closeInstance(instance: Instance): number {
  const written = writeSetting(instance, 'tracing_on', '0');
  if (!written.ok) throw new Error(written.problem);
  let records = 0;
  const cpus = bufferCpus(instance);
  const stats = openStats(instance, cpus);
  for (let cpu = 0; cpu < cpus; cpu++) {
    const found = stats.read(cpu);
    if (found !== null && found.overrun + found.dropped > 0)
      throw new Error(`${instance.path} overran its buffer`);
    records += found?.entries ?? 0;
  }
  stats.close();
  return records;
}

async function round(seconds: number): Promise<Round> {
  const instances = { agent: instanceOf('agent'), plain: instanceOf('plain'), tuned: instanceOf('tuned') };
  const start = (program: string, { path }: Instance) => startReader(program, basename(path), BUFFER_KB);
  const agent = await start('agent.ts', instances.agent);
  const plain = await start('trace-pipe-plain.ts', instances.plain);
  const tuned = await start('trace-pipe-tuned.ts', instances.tuned);
  const bpftrace = await startBpftrace();
  try {
    await runSteady({ perSecond: CONNECTIONS_PER_SECOND, seconds });
    const printed = await bpftrace.finish();
    const records = {
      agent: closeInstance(instances.agent),
      plain: closeInstance(instances.plain),
      tuned: closeInstance(instances.tuned),
    };
    return {
      agent: await agent.read(records.agent),
      plain: await plain.read(records.plain),
      tuned: await tuned.read(records.tuned),
      bpftrace: printed,
    };
  } finally {
    await Promise.all([agent.close(), plain.close(), tuned.close(), bpftrace.close()]);
    for (const instance of Object.values(instances)) removeInstance(instance);
  }
}

const perRecord = ({ cpuSeconds, records }: Cost): number => (cpuSeconds * 1e6) / records;
const perEvent = ({ cpuSeconds, events }: Cost): number => (cpuSeconds * 1e6) / events;

export const pages: Bench = async (quick) => {
  const rounds: Round[] = [];
  for (let count = 0; count < (quick ? 1 : 3); count++) rounds.push(await round(quick ? 1 : 10));

  const of = (who: keyof Round, part: keyof ReaderResult): Cost[] => rounds.map((each) => each[who][part]);
  const row = (name: string, who: keyof Round): string[] => [
    name,
    rounds[0]?.[who].whole.records.toLocaleString('en') ?? '',
    rounds[0]?.[who].whole.events.toLocaleString('en') ?? '',
    spread(of(who, 'warm').map(perRecord)),
    spread(of(who, 'warm').map(perEvent)),
    spread(of(who, 'whole').map(perEvent)),
  ];
  const cost = (who: keyof Round): number => median(of(who, 'warm').map(perEvent));
  const against = (name: string, who: keyof Round): Bar => ({
    what: `the same, relative to ${name}`,
    value: cost('agent') / cost(who),
    limit: 1 / 6,
    unit: '×',
  });
  return {
    tables: [
      {
        title: 'Kernel records to JSON',
        script: 'bench/pages.ts',
        columns: [
          '',
          'kernel records',
          'JSON events',
          'CPU µs per record',
          'CPU µs per event',
          'per event, start included',
        ],
        rows: [
          row('KTC agent, raw pages to batches', 'agent'),
          row('trace_pipe, plain: lines, regular expression, JSON.stringify, Node.js', 'plain'),
          row('trace_pipe, tuned: one regular expression per read, no objects, Node.js', 'tuned'),
          row('bpftrace, printf', 'bpftrace'),
        ],
        notes: [
          `Each figure is the median (lowest–highest) of ${rounds.length} rounds; the record counts are those of the first round. A round makes ${figure(CONNECTIONS_PER_SECOND)} TCP connections per second over loopback. Each of the three readers has an ftrace instance that records them, while bpftrace traces them too; connections of other programs are left out. CPU is user and system time of the reading process, including the kernel's work for reading. The last column includes the start. For the agent and the readers of trace_pipe, the start is the first fifth of the records, in which Node.js still compiles; for bpftrace it is compiling and attaching.`,
          'The agent does more than the others: it tracks connections, derives the connect, accept, latency and life events, and adds owner, connection id, Community ID and durations to every event. The others print only the fields of the record.',
          'The plain reader of trace_pipe is the straightforward program; the tuned one is the cheapest that was found. Both make one event per record, with only what its line contains: no owner, no identifiers, no durations.',
          'The cost of recording itself is CPU time of the traced process and not in these figures.',
        ],
      },
    ],
    bars: [
      { what: 'raw pages to JSON, CPU per event', value: cost('agent'), limit: 1, unit: 'µs' },
      against('trace_pipe, plain', 'plain'),
      against('trace_pipe, tuned', 'tuned'),
      against('bpftrace', 'bpftrace'),
    ],
  };
};
