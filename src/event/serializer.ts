/**
 * Writes events as UTF-8 JSON bytes, straight into a batch: no string, no object, no escape at run time. The names, the
 * order and the values are those of the table of fields; what stays the same for an event, a second, a task or a
 * connection is made into bytes once.
 */
import type { TraceClock } from '../source/clock.ts';
import type { Task } from '../source/host/tasks.ts';
import type { Connection } from './connection/connection.ts';
import type { PeerSummary } from './connection/peer-summary.ts';
import type { EventDraft } from './draft.ts';
import { fieldsFrom, memberStart } from './field.ts';
import { FIELDS, type FieldName, ownFieldsOf } from './fields.ts';
import { eventIdStart, type HostFacts } from './host-facts.ts';
import type { HostStatus } from './host-status.ts';
import { utf8, writeBytes, writeNineDigits, writeNumber, writePlain } from './json-bytes.ts';
import { EVENT_KINDS, type EventKind, type PidOrigin, SCHEMA_VERSION } from './kinds.ts';
import { compileOwnFields, type OwnFields, writeOwnFields } from './own-fields.ts';

export interface Serializer {
  /** Bytes that `write` may need at most for any event that follows from a record; known when the host's facts are. */
  readonly maxBytes: number;
  /** The same for this host_status, which is as large as its host. */
  statusBytes(status: HostStatus): number;
  /** Writes the event at `at` and gives the offset behind it. `out` must have as many bytes from there. */
  write(out: Buffer, at: number, draft: EventDraft): number;
}

const BILLION = 1_000_000_000;
const DASH = '-'.charCodeAt(0);
/**
 * comm has 15 bytes, that of a kernel thread in an older recording 63, and a control byte becomes six. A unit has at most
 * 255 characters, of which a backslash becomes two, and a container 64 (src/source/host/control-group.ts).
 */
const MAX_TASK_BYTES = 1_100;
/** A value of a connection: an IPv6 address in quotes has 41 bytes at most. */
const MAX_CONNECTION_VALUE_BYTES = 48;
/** CPU twice, ordinal, and the time between them. */
const MAX_HEAD_BYTES = 120;

const HOST_FIELDS = fieldsFrom('host', FIELDS);
const STATUS_FIELDS = fieldsFrom('status', FIELDS);
const TASK_FIELDS = fieldsFrom('task', FIELDS);
const CONNECTION_FIELDS = fieldsFrom('connection', FIELDS).map(({ start, from }) => ({
  start: utf8(start),
  from,
}));
const MAX_CONNECTION_BYTES = CONNECTION_FIELDS.reduce(
  (sum, { start }) => sum + start.length + MAX_CONNECTION_VALUE_BYTES,
  0,
);

/** Of the fields that are written by hand. */
const startOf = (name: FieldName): string => memberStart(name);

/**
 * Connections that begin one after the other share memory, and the one that lives longest keeps all of it: 3,000 of them
 * among 300,000 kept 100 MB in the pool of Node.js, which gives 64 KiB at a time.
 */
const SHARED_BYTES = 4096;
let shared = Buffer.alloc(0);
let sharedEnd = 0;

function connectionJson(connection: Connection): Uint8Array {
  const { flow } = connection;
  if (flow === null) throw new Error('an event was given before its flow was set');
  if (sharedEnd + MAX_CONNECTION_BYTES > shared.length) {
    shared = Buffer.allocUnsafeSlow(SHARED_BYTES);
    sharedEnd = 0;
  }
  const first = sharedEnd;
  for (const { start, from } of CONNECTION_FIELDS) {
    sharedEnd = writePlain(shared, writeBytes(shared, sharedEnd, start), from.connection(connection, flow));
  }
  return new Uint8Array(shared.buffer, first, sharedEnd - first);
}

/** What a summary has in the place of a connection. */
function writePeer(out: Buffer, at: number, summary: PeerSummary): number {
  let end = at;
  for (const { start, from } of CONNECTION_FIELDS) {
    end = writePlain(out, writeBytes(out, end, start), from.peer?.(summary) ?? null);
  }
  return end;
}

/** All members that only a host_status has. */
function statusJson(status: HostStatus): Uint8Array {
  return utf8(STATUS_FIELDS.map(({ start, from }) => start + JSON.stringify(from.status(status))).join(''));
}

/** From behind the timestamp's digits to the task's fields. */
function hostJson(facts: HostFacts): string {
  return `Z"${HOST_FIELDS.map(({ start, from }) => start + JSON.stringify(from.host(facts))).join('')}`;
}

/** From behind the timestamp's digits to the CPU: what is the same for all events of one task and origin. */
interface TaskJson {
  readonly owner: Uint8Array;
  readonly onCpu: Uint8Array;
}

/** Made once for as long as the task lives, so that one copy does for host and task. */
function createTaskJson(host: string): (task: Task) => TaskJson {
  const made = new WeakMap<Task, TaskJson>();
  let lastTask: Task | null = null;
  let lastJson: TaskJson = { owner: new Uint8Array(), onCpu: new Uint8Array() };

  function jsonOf(task: Task, origin: PidOrigin): Uint8Array {
    const members = TASK_FIELDS.map(({ start, from }) => start + JSON.stringify(from.task(task, origin)));
    return utf8(host + members.join('') + startOf('cpu'));
  }

  return (task) => {
    if (task === lastTask) return lastJson;
    let json = made.get(task);
    if (json === undefined) {
      json = { owner: jsonOf(task, 'owner'), onCpu: jsonOf(task, 'on_cpu') };
      made.set(task, json);
    }
    lastTask = task;
    lastJson = json;
    return json;
  };
}

/** Whose event it is. */
type Subject = 'connection' | 'peer' | 'host';

const SUBJECTS: Readonly<Partial<Record<EventKind, Subject>>> = {
  tcp_retransmit_summary: 'peer',
  host_status: 'host',
};

/** What is known of a kind. */
interface KindJson {
  readonly subject: Subject;
  readonly own: OwnFields;
  /** Behind the ordinal, up to the fraction of the second that `second` says. */
  secondJson: Uint8Array;
  second: number;
}

function createKinds(): ReadonlyMap<EventKind, KindJson> {
  return new Map(
    EVENT_KINDS.map((kind) => [
      kind,
      {
        subject: SUBJECTS[kind] ?? 'connection',
        own: compileOwnFields(ownFieldsOf(kind)),
        secondJson: new Uint8Array(),
        second: Number.NaN,
      },
    ]),
  );
}

/** From behind the ordinal to the fraction of the second, which is since 1970. */
function secondJson(kind: EventKind, second: number): Uint8Array {
  const text = new Date(second * 1000).toISOString().slice(0, 20);
  return utf8(`"${startOf('event')}"${kind}"${startOf('timestamp')}"${text}`);
}

/** Everything that stays the same is made into bytes here, once. */
export function createSerializer(facts: HostFacts, clock: TraceClock): Serializer {
  const idStart = utf8(
    `{${startOf('schema_version').slice(1)}${SCHEMA_VERSION}${startOf('event_id')}` +
      JSON.stringify(eventIdStart(facts)).slice(0, -1),
  );
  const host = hostJson(facts);
  const taskJson = createTaskJson(host);
  const noTaskJson = utf8(
    `${host}${TASK_FIELDS.map((field) => `${field.start}null`).join('')}${startOf('cpu')}`,
  );
  const onlyHostJson = utf8(host + startOf('cpu'));
  const kinds = createKinds();
  let lastKind: EventKind = 'tcp_state';
  let json = kinds.get(lastKind) as KindJson;

  function writeKindAndTime(out: Buffer, at: number, draft: EventDraft, json: KindJson): number {
    const nanoseconds = clock.wallNanoseconds + draft.time;
    const seconds = Math.floor(nanoseconds / BILLION);
    const second = clock.wallSeconds + seconds;
    if (second !== json.second) {
      json.second = second;
      json.secondJson = secondJson(draft.kind, second);
    }
    return writeNineDigits(out, writeBytes(out, at, json.secondJson), nanoseconds - seconds * BILLION);
  }

  /** The members from the end of the timestamp to those of the kind. */
  function writeSubject(out: Buffer, at: number, draft: EventDraft, subject: Subject): number {
    const { connection, cpu } = draft;
    if (subject === 'connection') {
      const { owner, onCpu } = taskJson(draft.task);
      const end = writeBytes(out, at, draft.isOwner ? owner : onCpu);
      connection.json ??= connectionJson(connection);
      return writeBytes(out, writeNumber(out, end, cpu), connection.json);
    }
    if (subject === 'peer') {
      return writePeer(out, writeNumber(out, writeBytes(out, at, noTaskJson), cpu), draft.summary);
    }
    const { status } = draft;
    status.json ??= statusJson(status);
    return writeBytes(out, writeNumber(out, writeBytes(out, at, onlyHostJson), cpu), status.json);
  }

  const headBytes = idStart.length + MAX_HEAD_BYTES + Buffer.byteLength(host);
  const maxBytes =
    headBytes +
    MAX_TASK_BYTES +
    MAX_CONNECTION_BYTES +
    Math.max(...[...kinds.values()].map(({ own }) => own.maxBytes));

  return {
    maxBytes,
    statusBytes(status) {
      status.json ??= statusJson(status);
      return headBytes + status.json.length + 1;
    },
    write(out, at, draft) {
      if (draft.kind !== lastKind) {
        lastKind = draft.kind;
        json = kinds.get(lastKind) as KindJson;
      }
      let end = writeNumber(out, writeBytes(out, at, idStart), draft.cpu);
      out[end++] = DASH;
      end = writeNumber(out, end, draft.ordinal);
      end = writeKindAndTime(out, end, draft, json);
      return writeOwnFields(out, writeSubject(out, end, draft, json.subject), json.own, draft);
    },
  };
}
