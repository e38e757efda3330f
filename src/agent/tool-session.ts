/** A session that shows events instead of delivering them: a source, connection tracking, and a view of both. */
import type { AgentConfig } from '../config/schema.ts';
import { NO_EXCLUSIONS } from '../event/exclusions.ts';
import type { SingleEventKind } from '../event/kinds.ts';
import { NO_LIMITS } from '../event/limits.ts';
import { createNormalizer, type Normalizer } from '../event/normalizer.ts';
import { NO_SUMMARIES } from '../event/retransmit-summaries.ts';
import { createLedger } from '../ledger/ledger.ts';
import { success } from '../shared/result.ts';
import { removeStaleInstances } from '../source/ftrace/instance.ts';
import { openTracefs } from '../source/ftrace/tracefs.ts';
import type { RecordHandler, Source, SourceLoss } from '../source/source.ts';
import type { Facts, View } from '../tool/view.ts';
import { NO_NEWS, openSource } from './assembly/source.ts';
import { failure, type SessionEnd, sourceFailure } from './session-end.ts';
import { createStopWishes, onSignals, type SignalListener } from './signals.ts';
import { openOutput, type ToolOutput, type ToolStream } from './tool-output.ts';

export interface ToolSessionOptions {
  readonly config: AgentConfig;
  readonly events: ReadonlySet<SingleEventKind>;
  /** Infinity shows events until a signal comes. */
  readonly seconds: number;
  /** Names of ftrace instances that are removed when their process has ended. */
  readonly staleInstances: RegExp;
  readonly stdout: ToolStream;
  /** Takes a line for standard error. */
  readonly say: (line: string) => void;
  /** Called once, when the source is open. */
  readonly view: (source: Source, facts: Facts) => View;
  /** The time between two writes, ms; absent writes after each reading. */
  readonly everyMs?: number;
}

/** The signal that ended the session before all output was taken, which takes a second one; null for none. */
export type ToolEnd = SessionEnd<NodeJS.Signals | null>;

const LOSS_WORDS: Readonly<Record<SourceLoss, string>> = {
  kernel_overrun: 'overwritten before they were read: ask for less, or write into a file',
  kernel_dropped: 'the kernel had no room for them',
  probe_missed: 'missed by a probe of tcp_trace.ko (ktc module status)',
  while_down: 'overwritten before the start',
  left_in_kernel: 'still unread at the end',
  settings_changed: 'not recorded while somebody else had changed the settings of ftrace',
};

/** Whether the source is tcp_trace.ko or a recording of it, with facts that the native tracepoints do not have. */
export function tellsAll(source: Source): boolean {
  const { kind, probes } = source.status();
  if (kind !== 'replay') return kind === 'module';
  return probes.some(({ name, enabled }) => name === 'inet_csk_accept' && enabled);
}

/** Runs until the source ends, a signal comes, the time is over, or standard output has no reader any more. */
export async function toolSession(options: ToolSessionOptions): Promise<ToolEnd> {
  const stopping = createStopping(options.config.shutdown.timeout_s * 1000);
  let end: ToolEnd = success(null);
  // Before the source is opened: a signal in between would leave its ftrace instance behind.
  const forgetSignals = onSignals(['SIGTERM', 'SIGINT', 'SIGHUP'], stopping.onSignal);
  const output = openOutput(options.stdout, {
    onClosed: stopping.stop,
    onProblem(problem) {
      end = failure('io', problem);
    },
  });
  try {
    if (options.config.source.kind !== 'replay') removeStale(options.staleInstances);
    const news = {
      ...NO_NEWS,
      damaged(problem: string) {
        end = failure('damaged', problem);
      },
      ended(problem: string) {
        end = failure('unavailable', problem);
      },
      left: options.say,
    };
    const opened = await openSource(options.config, news, { isPrivate: true });
    if (!opened.ok) return sourceFailure(opened);
    await show(opened.value, output, stopping, options);
    // Neither a user who signals twice nor a service manager waits for a reader that does not read.
    const signal = await Promise.race([output.flushed(), stopping.interruption]);
    return signal === undefined ? end : success(signal);
  } finally {
    stopping.close();
    output.close();
    forgetSignals();
  }
}

interface ToolStopping {
  readonly isStopped: boolean;
  /** Stops the source, now or as soon as it runs. */
  stop(): void;
  /** Stops by the first signal; a second one interrupts, and so does the time that has passed since the first. */
  readonly onSignal: SignalListener;
  /** Resolves when nothing is waited for any more, with the signal. */
  readonly interruption: Promise<NodeJS.Signals>;
  /** The source runs: `stop` takes effect. */
  begin(source: Source): void;
  close(): void;
}

function createStopping(timeoutMs: number): ToolStopping {
  let source: Source | null = null;
  let isStopped = false;
  let timer: NodeJS.Timeout | undefined;
  const interruption = Promise.withResolvers<NodeJS.Signals>();

  function stop(): void {
    isStopped = true;
    void source?.stop();
  }

  return {
    get isStopped() {
      return isStopped;
    },
    stop,
    onSignal: createStopWishes({
      first(signal) {
        stop();
        timer = setTimeout(interruption.resolve, timeoutMs, signal);
      },
      again: interruption.resolve,
    }),
    interruption: interruption.promise,
    begin(running) {
      source = running;
      if (isStopped) stop();
    },
    close: () => clearTimeout(timer),
  };
}

/** Writes what the view has of the source's events, from its first record to its last. */
async function show(
  source: Source,
  output: ToolOutput,
  stopping: ToolStopping,
  options: ToolSessionOptions,
): Promise<void> {
  const { config, seconds, everyMs, say } = options;
  const { clock, kernel, session } = source;
  const view = options.view(source, { clock, kernel, session, isLive: config.source.kind !== 'replay' });
  const normalizer = normalizerOf(source, options, view);
  const write = () => output.write(view.take());
  write();
  const timer = Number.isFinite(seconds) ? setTimeout(stopping.stop, seconds * 1000) : undefined;
  const ticker = everyMs === undefined ? undefined : setInterval(write, everyMs);
  const flush = everyMs === undefined ? write : () => {};
  // At the end everything that the kernel holds is taken, which is no more than its buffer.
  const ready = () => stopping.isStopped || output.hasRoom;
  try {
    const reading = source.run(handlerOf(normalizer, { flush, say, ready }));
    stopping.begin(source);
    await reading;
    await source.stop();
    // No record comes any more that could complete a held event.
    normalizer.advance(Number.POSITIVE_INFINITY);
    write();
    output.write(view.end());
  } finally {
    clearTimeout(timer);
    clearInterval(ticker);
  }
}

function removeStale(pattern: RegExp): void {
  const tracefs = openTracefs();
  if (tracefs.ok) removeStaleInstances(tracefs.value, pattern);
}

function normalizerOf(source: Source, { config, events }: ToolSessionOptions, view: View): Normalizer {
  return createNormalizer({
    tasks: source.tasks,
    session: source.session,
    maxConnections: config.tracking.max_connections,
    // The number of retransmits in a life event is not shown, and not every probe that it needs is on.
    countsRetransmits: false,
    recordsAccepts: tellsAll(source),
    ownSockets: () => [],
    ledger: createLedger([]),
    events,
    exclusions: NO_EXCLUSIONS,
    limits: NO_LIMITS,
    summaries: NO_SUMMARIES,
    // A tool makes no connections.
    ownPid: null,
    emit: view.event,
    onSettled() {},
  });
}

interface HandlerParts {
  readonly flush: () => void;
  readonly say: (line: string) => void;
  readonly ready: () => boolean;
}

function handlerOf(normalizer: Normalizer, { flush, say, ready }: HandlerParts): RecordHandler {
  return {
    ready,
    existing: normalizer.existing,
    record: normalizer.accept,
    filteredRecord() {},
    malformedRecord() {
      say('lost 1 record: it could not be understood');
    },
    malformedPage() {
      say('lost records: a page of the ring buffer could not be read to its end');
    },
    lost(reason, records, detail) {
      normalizer.lost();
      if (detail !== undefined) return say(`lost records: ${LOSS_WORDS[reason]} (${detail})`);
      say(`lost ${records} record${records === 1 ? '' : 's'}: ${LOSS_WORDS[reason]}`);
    },
    host() {},
    advance(time) {
      normalizer.advance(time);
      flush();
    },
  };
}
