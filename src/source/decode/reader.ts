/** Reads a record out of a page by the kernel's own field offsets, which differ between kernels. */
import { DONE, type Result, refusal, success } from '../../shared/result.ts';
import type { ProbeName } from '../probes.ts';
import { addressFields, createAddressReader } from './addresses.ts';
import { type EventFormat, type FieldFormat, offsetOf } from './format.ts';
import { createModuleFieldReader } from './module-fields.ts';
import { ABSENT, IPPROTO_TCP, type TcpRecord } from './record.ts';

/** Reads the record of one probe at `at` into `record`; false if the record is malformed. */
export type RecordReader = (record: TcpRecord, bytes: Buffer, at: number, length: number) => boolean;

/** HARDIRQ, SOFTIRQ and NMI of `enum trace_flag_type` (include/linux/trace_events.h). */
const INTERRUPT_FLAGS = 0x08 | 0x10 | 0x40;

/** TCP_NEW_SYN_RECV is the last state (include/net/tcp_states.h). Resets without a socket have state 0. */
function isState(state: number): boolean {
  return state >= ABSENT && state <= 12;
}

function readPointer(bytes: Buffer, at: number): number {
  // 48 bits tell kernel pointers apart, and a double holds them exactly.
  return at === ABSENT ? 0 : bytes.readUIntLE(at, 6);
}

function checkFields(format: EventFormat): Result {
  const names = ['common_pid', 'common_flags', ...addressFields(format)];
  const missing = names.filter((name) => !format.fields.has(name));
  if (missing.length === 0) return DONE;
  return refusal(`event ${format.name} of this kernel has no field ${missing.join(', ')}`);
}

function endOfFields(fields: Iterable<FieldFormat>): number {
  let end = 0;
  for (const field of fields) end = Math.max(end, field.offset + field.size);
  return end;
}

/** Builds the reader of one probe from the format of its event. */
export function compileReader(probe: ProbeName, format: EventFormat): Result<RecordReader> {
  const checked = checkFields(format);
  if (!checked.ok) return checked;

  const minimum = endOfFields(format.fields.values());
  const flagsAt = offsetOf(format, 'common_flags', 1);
  const threadAt = offsetOf(format, 'common_pid', 4);
  const socketAt = offsetOf(format, 'skaddr', 8);
  const requestAt = offsetOf(format, 'req', 8);
  const oldStateAt = offsetOf(format, 'oldstate', 4);
  const newStateAt = Math.max(offsetOf(format, 'newstate', 4), offsetOf(format, 'state', 4));
  const protocolAt = offsetOf(format, 'protocol', 2);
  const errorAt = offsetOf(format, 'err', 4);
  const readModuleFields = createModuleFieldReader(format);
  const readAddresses = createAddressReader(format);

  const read: RecordReader = (record, bytes, at, length) => {
    if (length < minimum) return false;
    record.probe = probe;
    record.bytes = bytes;
    record.inTask = ((bytes[at + flagsAt] as number) & INTERRUPT_FLAGS) === 0;
    record.thread = bytes.readInt32LE(at + threadAt);
    record.socket = socketAt === ABSENT ? 0 : readPointer(bytes, at + socketAt);
    record.request = requestAt === ABSENT ? 0 : readPointer(bytes, at + requestAt);
    record.oldState = oldStateAt === ABSENT ? ABSENT : bytes.readInt32LE(at + oldStateAt);
    record.newState = newStateAt === ABSENT ? ABSENT : bytes.readInt32LE(at + newStateAt);
    record.protocol = protocolAt === ABSENT ? IPPROTO_TCP : bytes.readUInt16LE(at + protocolAt);
    record.error = errorAt === ABSENT ? 0 : bytes.readInt32LE(at + errorAt);
    readModuleFields?.(record, bytes, at);
    return isState(record.oldState) && isState(record.newState) && readAddresses(record, bytes, at);
  };
  return success(read);
}
