/** A session that shows events instead of delivering them: a source, connection tracking, and a view of both. */
import type { Writable } from 'node:stream';
import type { AgentConfig } from '../config/schema.ts';
import { NO_EXCLUSIONS } from '../event/exclusions.ts';
import { NO_LIMITS } from '../event/limits.ts';
import { createNormalizer, type Normalizer } from '../event/normalizer.ts';
import { NO_SUMMARIES } from '../event/retransmit-summaries.ts';
import type { SingleEventKind } from '../event/tcp-event.ts';
import { createLedger } from '../ledger/ledger.ts';
import { removeStaleInstances } from '../source/ftrace/instance.ts';
import { openTracefs } from '../source/ftrace/tracefs.ts';
import type { RecordHandler, Source, SourceLoss } from '../source/source.ts';
import type { Facts, View } from '../tool/view.ts';
import { NO_NEWS, openSource } from './assembly/source.ts';
import { watchReader } from './pipe-reader.ts';

export interface ToolSessionOptions {
  readonly config: AgentConfig;
  readonly events: ReadonlySet<SingleEventKind>;
  /** Infinity until a signal comes. */
  readonly seconds: number;
  /** Ftrace instances that are removed when the process whose id is the first group has ended. */
  readonly staleInstances: RegExp;
  /** With its descriptor, when it is a pipe, the session also ends as soon as the reader has gone. */
  readonly stdout: Writable & { readonly fd?: number };
  /** Takes a line for standard error. */
  readonly say: (line: string) => void;
  /** Called once, when the source is open. */
  readonly view: (source: Source, facts: Facts) => View;
  /** Writes what the view has so often instead of after each reading, ms. */
  readonly everyMs?: number;
}

export type ToolEnd =
  | { readonly kind: 'done' }
  /** By a second signal, before all output was taken. */
  | { readonly kind: 'interrupted'; readonly signal: NodeJS.Signals }
  | { readonly kind: 'unavailable' | 'not_permitted' | 'damaged' | 'io'; readonly problem: string };

/** Written and not yet taken by the reader; with more than this the records wait in the kernel. */
const MAX_PENDING_BYTES = 1 << 20;
const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;

const LOSS_WORDS: Readonly<Record<SourceLoss, string>> = {
  kernel_overrun: 'overwritten before they were read: ask for less, or write into a file',
  kernel_dropped: 'the kernel had no room for them',
  probe_missed: 'missed by a probe of tcp_trace.ko (ktc module status)',
  while_down: 'overwritten before the start',
  left_in_kernel: 'still unread at the end',
  settings_changed: 'not recorded while somebody else had changed the ftrace instance',
};

/** Whether the source has what only tcp_trace.ko tells, or a recording of it. */
export function tellsAll(source: Source): boolean {
  const { kind, probes } = source.status();
  if (kind !== 'replay') return kind === 'module';
  return probes.some(({ name, enabled }) => name === 'inet_csk_accept' && enabled);
}

/** Runs until the source ends, a signal comes, the time is over, or nobody reads standard output any more. */
export async function toolSession(options: ToolSessionOptions): Promise<ToolEnd> {
  const { config, stdout, say } = options;
  let source: Source | null = null;
  let stopped = false;
  let closed = false;
  let signalled = false;
  const interruption = Promise.withResolvers<NodeJS.Signals>();
  let end: ToolEnd = { kind: 'done' };
  const stop = (): void => {
    stopped = true;
    void source?.stop();
  };
  const onSignal = (signal: NodeJS.Signals): void => {
    if (signalled) interruption.resolve(signal);
    signalled = true;
    stop();
  };
  const onReaderGone = (): void => {
    closed = true;
    stop();
  };
  const onError = ({ code, message }: NodeJS.ErrnoException): void => {
    // The reader of a pipe has what it wanted (`| head`).
    if (code !== 'EPIPE') end = { kind: 'io', problem: `standard output: ${message}` };
    onReaderGone();
  };
  const write = (text: string): void => {
    if (text !== '' && !closed) stdout.write(text);
  };
  // Before the source is opened: a signal in between would leave its ftrace instance behind.
  for (const signal of SIGNALS) process.on(signal, onSignal);
  stdout.on('error', onError);
  const unwatch = stdout.fd === undefined ? () => {} : watchReader(stdout.fd, onReaderGone);
  let timer: NodeJS.Timeout | null = null;
  let ticker: NodeJS.Timeout | null = null;
  try {
    if (config.source.kind !== 'replay') removeStale(options.staleInstances);
    const opened = await openSource(config, {
      ...NO_NEWS,
      damaged(problem) {
        end = { kind: 'damaged', problem };
      },
      ended(problem) {
        end = { kind: 'unavailable', problem };
      },
      left: say,
    });
    if (!opened.ok) {
      return { kind: opened.permission === true ? 'not_permitted' : 'unavailable', problem: opened.problem };
    }
    source = opened.value;
    const { clock, kernel, session } = source;
    const isLive = config.source.kind !== 'replay';
    const view = options.view(source, { clock, kernel, session, isLive });
    const normalizer = normalizerOf(source, options, view);
    write(view.take());
    timer = Number.isFinite(options.seconds) ? setTimeout(stop, options.seconds * 1000) : null;
    const { everyMs } = options;
    ticker = everyMs === undefined ? null : setInterval(() => write(view.take()), everyMs);
    const flush = everyMs === undefined ? () => write(view.take()) : () => {};
    // At the end all that the kernel holds is taken, which is no more than its buffer.
    const ready = () => stopped || stdout.writableLength < MAX_PENDING_BYTES;
    const reading = source.run(handlerOf(normalizer, { flush, say, ready }));
    if (stopped) stop();
    await reading;
    await source.stop();
    // Nothing comes any more that could complete what is held.
    normalizer.advance(Number.POSITIVE_INFINITY);
    write(view.take());
    write(view.end());
    // Who asks twice does not wait for a reader that does not read.
    const signal = await Promise.race([flushed(stdout), interruption.promise]);
    return signal === null ? end : { kind: 'interrupted', signal };
  } finally {
    if (timer !== null) clearTimeout(timer);
    if (ticker !== null) clearInterval(ticker);
    unwatch();
    for (const signal of SIGNALS) process.off(signal, onSignal);
  }
}

/** Resolves when the stream has taken all that was written, or never will. */
function flushed(stream: Writable): Promise<null> {
  return new Promise((resolve) => {
    stream.write('', () => resolve(null));
  });
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
    // A life's own count of retransmits is not shown, and not every probe is on that it would need.
    countsRetransmits: false,
    recordsAccepts: tellsAll(source),
    ownSockets: () => [],
    ledger: createLedger([]),
    events,
    exclusions: NO_EXCLUSIONS,
    limits: NO_LIMITS,
    summaries: NO_SUMMARIES,
    // It makes no connections.
    ownPid: null,
    emit: view.event,
    onSettled() {},
  });
}

interface Surroundings {
  readonly flush: () => void;
  readonly say: (line: string) => void;
  readonly ready: () => boolean;
}

function handlerOf(normalizer: Normalizer, { flush, say, ready }: Surroundings): RecordHandler {
  return {
    ready,
    existing: normalizer.existing,
    record: normalizer.accept,
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
    advance(time) {
      normalizer.advance(time);
      flush();
    },
  };
}
