/** Writes events as UTF-8 JSON bytes, straight into a batch: no string, no object, no escape at run time. */
import type { TraceClock } from '../source/clock.ts';
import type { KernelIdentity } from '../source/host/identity.ts';
import type { Task } from '../source/host/tasks.ts';
import type { Connection } from './connection/connection.ts';
import { type PeerSummary, totalRetransmits } from './connection/peer-summary.ts';
import type { EventDraft } from './draft.ts';
import { type EventKind, RETRANSMIT_KINDS, SCHEMA_VERSION, TCP_STATES } from './tcp-event.ts';

export interface HostFacts {
  readonly kernel: KernelIdentity;
  /** Part of every event id. */
  readonly session: string;
  readonly labels: Readonly<Record<string, string>>;
}

export interface Serializer {
  /** Bytes that `write` may need at most, whatever the event; known when the host's facts are. */
  readonly maxBytes: number;
  /** Writes the event at `at` and gives the offset behind it. `out` must have `maxBytes` from there. */
  write(out: Buffer, at: number, draft: EventDraft): number;
}

const BILLION = 1_000_000_000;
const CLOSING_BRACE = '}'.charCodeAt(0);
/** comm has 15 bytes, that of a kernel thread 63 (fs/proc/array.c, `proc_task_name`); a control byte becomes six. */
const MAX_TASK_BYTES = 500;
const MAX_CONNECTION_BYTES = 400;
const MAX_NUMBERS_BYTES = 600;

const ascii = (text: string): Uint8Array => Buffer.from(text, 'latin1');
const utf8 = (text: string): Uint8Array => Buffer.from(text, 'utf8');

function writeBytes(out: Buffer, at: number, bytes: Uint8Array): number {
  out.set(bytes, at);
  return at + bytes.length;
}

/** So many decimal digits of a whole number below a billion, which the machine divides as an integer. */
function writeDigits(out: Buffer, at: number, value: number, count: number): number {
  let rest = value | 0;
  for (let place = at + count - 1; place >= at; place--) {
    const next = (rest / 10) | 0;
    out[place] = 48 + (rest - next * 10);
    rest = next;
  }
  return at + count;
}

/** Decimal digits of a whole number ≥ 0. */
function writeNumber(out: Buffer, at: number, value: number): number {
  if (value >= BILLION) {
    const upper = Math.floor(value / BILLION);
    return writeDigits(out, writeNumber(out, at, upper), value - upper * BILLION, 9);
  }
  let count = 1;
  for (let limit = 10; value >= limit; limit *= 10) count++;
  return writeDigits(out, at, value, count);
}

const NULL = ascii('null');

function writeEnd(out: Buffer, at: number): number {
  out[at] = CLOSING_BRACE;
  return at + 1;
}

function writeNumberOrNull(out: Buffer, at: number, value: number): number {
  return value < 0 ? writeBytes(out, at, NULL) : writeNumber(out, at, value);
}

function connectionJson({ flow, id, direction, netns }: Connection): Uint8Array {
  if (flow === null) throw new Error('an event was given before its flow was set');
  const { version, localAddress, localPort, remoteAddress, remotePort, communityId } = flow;
  const orNull = (port: number) => (port === 0 ? 'null' : String(port));
  return ascii(
    `,"netns":${netns < 0 ? 'null' : netns},"ip_version":${version},"local_address":"${localAddress}","local_port":${orNull(localPort)},` +
      `"remote_address":${remotePort === 0 ? 'null' : `"${remoteAddress}"`},"remote_port":${orNull(remotePort)},` +
      `"connection_id":"${id}","community_id":${communityId === null ? 'null' : `"${communityId}"`},` +
      `"direction":"${direction}",`,
  );
}

const NO_TASK = '"pid":null,"comm":null,"pid_origin":null,"cpu":';

/** What a summary has in the place of a connection. As rare as summaries are, this and its counts are made as text. */
function peerJson({ flow, netns }: PeerSummary): string {
  return (
    `,"netns":${netns < 0 ? 'null' : netns},"ip_version":${flow?.version ?? null},` +
    `"local_address":${quoted(flow?.localAddress)},"local_port":null,` +
    `"remote_address":${quoted(flow?.remoteAddress)},"remote_port":null,` +
    '"connection_id":null,"community_id":null,"direction":null,'
  );
}

function countsJson({ summary, intervalUs }: EventDraft): string {
  const byKind = RETRANSMIT_KINDS.map((kind) => `"retransmits_${kind}":${summary.counts[kind]},`).join('');
  return (
    `"interval_us":${intervalUs},"retransmits":${totalRetransmits(summary)},` +
    `${byKind}"retransmits_suppressed":${summary.suppressed}}`
  );
}

/** What the native tracepoints cannot tell. */
const NO_MEASURES =
  '"srtt_us":null,"rttvar_us":null,"congestion_window":null,"slow_start_threshold":null,"total_retransmits":null}';
const MEASURES = {
  none: ascii(`,${NO_MEASURES}`),
  srtt: ascii(',"srtt_us":'),
  rttvar: ascii(',"rttvar_us":'),
  congestionWindow: ascii(',"congestion_window":'),
  slowStartThreshold: ascii(',"slow_start_threshold":'),
  totalRetransmits: ascii(',"total_retransmits":'),
};
const LIFE = {
  bytesSent: ascii(',"bytes_sent":'),
  bytesReceived: ascii(',"bytes_received":'),
  segmentsSent: ascii(',"segments_sent":'),
  segmentsReceived: ascii(',"segments_received":'),
  retransmits: ascii(',"retransmits":'),
};
const LENGTH = ascii(',"length":');
const DURATION = ascii('"duration_us":');
const LATENCY = ascii('"latency_us":');

const quoted = (text: string | null | undefined): string => (text == null ? 'null' : `"${text}"`);
const STATE_NAMES = TCP_STATES.map(quoted);

/** `"old_state":…,"new_state":…,"duration_us":` by old * 16 + new. */
const STATE_CHANGES: Uint8Array[] = Array.from({ length: 256 }, (_, index) =>
  ascii(
    `"old_state":${STATE_NAMES[index >> 4] ?? 'null'},"new_state":${STATE_NAMES[index & 15] ?? 'null'},"duration_us":`,
  ),
);

const RETRANSMITS = new Map<string, Uint8Array[]>(
  (['rto', 'fast', 'tlp', 'syn', 'synack', 'unknown'] as const).map((kind) => [
    kind,
    Array.from({ length: 16 }, (_, state) =>
      ascii(`"state":${STATE_NAMES[state] ?? 'null'},"retransmit_kind":"${kind}","sequence":`),
    ),
  ]),
);

const [RESETS_SENT, RESETS_RECEIVED] = (['sent', 'received'] as const).map((direction) =>
  Array.from({ length: 16 }, (_, state) =>
    ascii(`"state":${STATE_NAMES[state] ?? 'null'},"reset_direction":"${direction}"}`),
  ),
) as [Uint8Array[], Uint8Array[]];

function writeMember(out: Buffer, at: number, name: Uint8Array, value: number): number {
  return writeNumberOrNull(out, writeBytes(out, at, name), value);
}

function writeMeasures(out: Buffer, start: number, draft: EventDraft): number {
  // There is always a window: without one the source knows nothing of these.
  if (draft.congestionWindow < 0) return writeBytes(out, start, MEASURES.none);
  let end = writeMember(out, start, MEASURES.srtt, draft.srttUs);
  end = writeMember(out, end, MEASURES.rttvar, draft.rttvarUs);
  end = writeMember(out, end, MEASURES.congestionWindow, draft.congestionWindow);
  end = writeMember(out, end, MEASURES.slowStartThreshold, draft.slowStartThreshold);
  end = writeMember(out, end, MEASURES.totalRetransmits, draft.totalRetransmits);
  return writeEnd(out, end);
}

function at<T>(list: readonly T[], index: number, fallback: number): T {
  return (list[index] ?? list[fallback]) as T;
}

/**
 * The members from the end of the timestamp to the CPU: what is the same for all events of one task, made once for as
 * long as the task lives, so that one copy does for host and task.
 */
function createTaskJson(hostJson: string, origin: string): (task: Task) => Uint8Array {
  const made = new WeakMap<Task, Uint8Array>();
  let lastTask: Task | null = null;
  let lastJson: Uint8Array = NULL;
  return (task) => {
    if (task === lastTask) return lastJson;
    let json = made.get(task);
    if (json === undefined) {
      json = utf8(
        `${hostJson}"pid":${task.pid},"comm":${JSON.stringify(task.comm)},"pid_origin":"${origin}","cpu":`,
      );
      made.set(task, json);
    }
    lastTask = task;
    lastJson = json;
    return json;
  };
}

/** Everything that stays the same is made into bytes here, once. */
export function createSerializer(facts: HostFacts, clock: TraceClock): Serializer {
  const { kernel, session, labels } = facts;
  const idStart = utf8(
    `{"schema_version":${SCHEMA_VERSION},"event_id":${JSON.stringify(`${kernel.bootId}-${session}-`).slice(0, -1)}`,
  );
  const dash = '-'.charCodeAt(0);
  const hostJson =
    `Z","host":${JSON.stringify(kernel.hostName)},"host_id":${JSON.stringify(kernel.hostId)},` +
    `"boot_id":${JSON.stringify(kernel.bootId)},"kernel":${JSON.stringify(kernel.release)},` +
    `"labels":${JSON.stringify(labels)},`;
  const ownerJson = createTaskJson(hostJson, 'owner');
  const onCpuJson = createTaskJson(hostJson, 'on_cpu');
  const noTaskJson = utf8(hostJson + NO_TASK);
  /** Of the second shown last: `","event":…,"timestamp":"…` up to the fraction. */
  const secondJson = new Map<EventKind, Uint8Array>();
  let secondShown = Number.NaN;

  function makeSecondJson(kind: EventKind): Uint8Array {
    const text = new Date(secondShown * 1000).toISOString().slice(0, 20);
    const json = ascii(`","event":"${kind}","timestamp":"${text}`);
    secondJson.set(kind, json);
    return json;
  }

  function writeKindAndTime(out: Buffer, start: number, kind: EventKind, time: number): number {
    const nanoseconds = clock.wallNanoseconds + time;
    const seconds = Math.floor(nanoseconds / BILLION);
    const second = clock.wallSeconds + seconds;
    if (second !== secondShown) {
      secondShown = second;
      secondJson.clear();
    }
    const end = writeBytes(out, start, secondJson.get(kind) ?? makeSecondJson(kind));
    return writeDigits(out, end, nanoseconds - seconds * BILLION, 9);
  }

  function writeSpecific(out: Buffer, start: number, draft: EventDraft): number {
    switch (draft.kind) {
      case 'tcp_state': {
        const change = at(STATE_CHANGES, draft.oldState * 16 + draft.newState, 0);
        return writeEnd(out, writeNumberOrNull(out, writeBytes(out, start, change), draft.durationUs));
      }
      case 'tcp_retransmit': {
        const head = at(RETRANSMITS.get(draft.retransmitKind) ?? [], draft.state, 0);
        let end = writeNumberOrNull(out, writeBytes(out, start, head), draft.sequence);
        end = writeMember(out, end, LENGTH, draft.segmentBytes);
        return writeMeasures(out, end, draft);
      }
      case 'tcp_reset':
        return writeBytes(out, start, at(draft.resetSent ? RESETS_SENT : RESETS_RECEIVED, draft.state, 0));
      case 'tcp_life': {
        let end = writeNumberOrNull(out, writeBytes(out, start, DURATION), draft.durationUs);
        end = writeMember(out, end, LIFE.bytesSent, draft.bytesSent);
        end = writeMember(out, end, LIFE.bytesReceived, draft.bytesReceived);
        end = writeMember(out, end, LIFE.segmentsSent, draft.segmentsSent);
        end = writeMember(out, end, LIFE.segmentsReceived, draft.segmentsReceived);
        end = writeMember(out, end, LIFE.retransmits, draft.retransmits);
        return writeMeasures(out, end, draft);
      }
      case 'tcp_connect_latency':
        return writeEnd(out, writeNumberOrNull(out, writeBytes(out, start, LATENCY), draft.latencyUs));
      case 'tcp_connect':
      case 'tcp_accept':
        // The last member of what all events share ends with a comma.
        return writeEnd(out, start - 1);
      case 'tcp_retransmit_summary':
        return start + out.write(countsJson(draft), start, 'latin1');
    }
  }

  /** Whose event it is: the members from the end of the timestamp to those of its kind. */
  function writeSubject(out: Buffer, start: number, draft: EventDraft): number {
    const { connection, cpu } = draft;
    if (draft.kind === 'tcp_retransmit_summary') {
      const end = writeNumber(out, writeBytes(out, start, noTaskJson), cpu);
      return end + out.write(peerJson(draft.summary), end, 'latin1');
    }
    const end = writeBytes(out, start, (draft.isOwner ? ownerJson : onCpuJson)(draft.task));
    connection.json ??= connectionJson(connection);
    return writeBytes(out, writeNumber(out, end, cpu), connection.json);
  }

  return {
    maxBytes:
      idStart.length +
      Buffer.byteLength(hostJson) +
      MAX_TASK_BYTES +
      MAX_CONNECTION_BYTES +
      MAX_NUMBERS_BYTES,
    write(out, start, draft) {
      let end = writeNumber(out, writeBytes(out, start, idStart), draft.cpu);
      out[end++] = dash;
      end = writeNumber(out, end, draft.ordinal);
      end = writeKindAndTime(out, end, draft.kind, draft.time);
      return writeSpecific(out, writeSubject(out, end, draft), draft);
    },
  };
}
