/** What tcp_trace.ko adds to a connection, in instructions, counted in a guest; next to bpftrace with the same functions. */
import { join } from 'node:path';
import { buildGuestModule } from '../test/support/guest/module.ts';
import { bootGuest, type GuestKernel, guestUnavailable } from '../test/support/guest.ts';
import { compile, type SteadyResult } from '../test/support/traffic/traffic.ts';
import { bpftraceProgram } from './module/bpftrace.ts';
import { type Bar, type Bench, figure, median, spread, type Table } from './report.ts';

const STATES = {
  absent: 'no module',
  loaded: 'tcp_trace.ko loaded, not enabled',
  enabled: 'all events enabled in an instance',
  disabled: 'disabled again',
  bpftrace: 'bpftrace: same functions and fields, printf',
} as const;
type State = keyof typeof STATES;

/** How far a state that must cost nothing may be from no module: what the runs of one state differ by, and not more. */
const NOTHING_PERCENT = 0.2;

interface Cost {
  readonly kernel: GuestKernel;
  /** Of the traced program and of the kernel on its behalf, for each connection, by run. */
  readonly instructions: Readonly<Record<State, readonly number[]>>;
  readonly eventsPerConnection: number;
  /** Share of its events that bpftrace printed. */
  readonly printed: number;
}

async function measure(kernel: GuestKernel, rounds: number, seconds: number): Promise<Cost> {
  const unavailable = guestUnavailable(kernel);
  if (unavailable !== undefined) throw new Error(unavailable);
  const { console, exitCode, outputs } = await bootGuest({
    kernel,
    emulation: 'counted',
    programs: ['/usr/bin/bpftrace'],
    files: {
      '/measure.sh': join(import.meta.dirname, 'module/measure.sh'),
      '/tcp_trace.ko': buildGuestModule(kernel),
      '/steady': await compile('steady'),
    },
    script: `cat > /probes.bt << 'END'\n${bpftraceProgram}END\nsh /measure.sh ${rounds} ${seconds}`,
    memoryMb: 3072,
    timeoutMs: 900_000,
  });
  if (exitCode !== 0) throw new Error(`${console}\n${outputs.get('bpftrace.log')}`);
  const lines = (name: string): string[] => (outputs.get(name)?.toString() ?? '').trim().split('\n');
  const runs = lines('runs').map((line) => {
    const [state = '', result = ''] = line.split(' ');
    return { state, ...(JSON.parse(result) as SteadyResult) };
  });
  const of = (state: State) => runs.filter((run) => run.state === state);
  const events = new Map(lines('events').map((line) => line.split(' ') as [string, string]));
  const eventsPerConnection = (state: State): number =>
    Number(events.get(state)) / of(state).reduce((sum, { connections }) => sum + connections, 0);
  const states = Object.keys(STATES) as State[];
  return {
    kernel,
    instructions: Object.fromEntries(
      // The guest's nanosecond is an instruction.
      states.map((state) => [
        state,
        of(state).map(({ cpu_seconds, connections }) => (cpu_seconds * 1e9) / connections),
      ]),
    ) as unknown as Record<State, number[]>,
    eventsPerConnection: eventsPerConnection('enabled'),
    printed: eventsPerConnection('bpftrace') / eventsPerConnection('enabled'),
  };
}

const added = ({ instructions }: Cost, state: State): number =>
  median(instructions[state]) - median(instructions.absent);

function rowsOf(cost: Cost): string[][] {
  return (Object.keys(STATES) as State[]).map((state) => [
    cost.kernel,
    STATES[state],
    spread(cost.instructions[state]),
    state === 'absent' ? '' : figure(added(cost, state)),
    state === 'enabled' || state === 'bpftrace' ? figure(added(cost, state) / cost.eventsPerConnection) : '',
  ]);
}

function barsOf(cost: Cost): Bar[] {
  const off = (state: State, what: string): Bar => ({
    what: `tcp_trace.ko ${what}: difference from no module, ${cost.kernel}`,
    value: (Math.abs(added(cost, state)) / median(cost.instructions.absent)) * 100,
    limit: NOTHING_PERCENT,
    unit: '%',
  });
  return [
    off('loaded', 'loaded, not enabled'),
    off('disabled', 'disabled again'),
    {
      what: `instructions that tcp_trace.ko adds, relative to bpftrace, ${cost.kernel}`,
      value: added(cost, 'enabled') / added(cost, 'bpftrace'),
      limit: 1 / 2,
      unit: '×',
    },
  ];
}

export const module: Bench = async (quick) => {
  const rounds = quick ? 1 : 3;
  const costs: Cost[] = [];
  for (const kernel of quick ? (['6.1'] as const) : (['6.1', '6.12'] as const)) {
    costs.push(await measure(kernel, rounds, quick ? 0.2 : 0.5));
  }
  const each = (text: (cost: Cost) => string): string =>
    costs.map((cost) => `${text(cost)} (${cost.kernel})`).join(', ');
  const table: Table = {
    title: 'Kernel module, instructions',
    script: 'bench/module.ts',
    columns: ['kernel', '', 'per connection', 'added', 'added per event'],
    rows: costs.flatMap(rowsOf),
    notes: [
      `Each figure is the median (lowest–highest) of ${rounds} runs on Debian's cloud kernels, in QEMU with one CPU and \`-icount\`, where the clock counts instructions. It is the CPU time of a program that makes connections over loopback, including the kernel's work on its behalf, divided by the number of connections. Events per connection: ${each(({ eventsPerConnection }) => figure(eventsPerConnection))}.`,
      `No row includes the cost of reading: no program reads the instance, and printing is CPU time of bpftrace itself. Waking bpftrace up is CPU time of the traced program. bpftrace printed ${each(({ printed }) => `${figure(printed * 100)} %`)} of the events.`,
    ],
  };
  return { tables: [table], bars: costs.flatMap(barsOf) };
};
