/** What the readers of `trace_pipe` share: an ftrace instance of their own, its text, and what every event says. */
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { createLiveClock, toWallMilliseconds } from '../../src/source/clock.ts';
import {
  type Instance,
  openInstance,
  removeInstance,
  writeSetting,
} from '../../src/source/ftrace/instance.ts';
import { openTracefs } from '../../src/source/ftrace/tracefs.ts';
import { readIdentity } from '../../src/source/host/identity.ts';
import { measureReading, serveReader } from './reader.ts';

/** What a reader makes of some lines of text. */
export interface Converted {
  /** A JSON object a line. */
  readonly json: string;
  readonly events: number;
}

const READ_BYTES = 65_536;

const host = readIdentity('');
/** The fields that are the same in all events. */
export const COMMON_FIELDS = {
  schema_version: 1,
  event: 'tcp_state',
  host: host.hostName,
  host_id: host.hostId,
  boot_id: host.bootId,
  kernel: host.release,
  labels: {},
};

const clock = createLiveClock(null);
const { high, low } = clock.epoch;
const bootMicroseconds = Math.round(toWallMilliseconds(clock, 0) * 1e3 - (high * 2 ** 32 + low) / 1e3);

/** Wall-clock time, µs since 1970, of a line's `seconds.fraction`, which count from boot. */
export function wallMicroseconds(seconds: string, fraction: string): number {
  return bootMicroseconds + Number(seconds) * 1e6 + Number(fraction);
}

function openRecording(name: string, bufferKb: string): Instance {
  const tracefs = openTracefs();
  if (!tracefs.ok) throw new Error(tracefs.problem);
  const opened = openInstance(tracefs.value, name);
  if (!opened.ok) throw new Error(opened.problem);
  for (const [file, value] of [
    ['trace_clock', 'mono'],
    ['buffer_size_kb', bufferKb],
    ['events/sock/inet_sock_set_state/filter', 'protocol == 6 && comm == "steady"'],
    ['events/sock/inet_sock_set_state/enable', '1'],
  ] as const) {
    const written = writeSetting(opened.value, file, value);
    if (!written.ok) throw new Error(written.problem);
  }
  return opened.value;
}

function readText(fd: number, buffer: Buffer): number {
  try {
    return readSync(fd, buffer, 0, buffer.length, null);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return 0;
    throw error;
  }
}

/** The whole reader but for `convert`, which gets whole lines, each with its line feed. */
export async function serveTextReader(convert: (lines: string) => Converted): Promise<void> {
  const [name = '', bufferKb = ''] = process.argv.slice(2);
  const instance = openRecording(name, bufferKb);
  await serveReader((expected) => {
    const fd = openSync(`${instance.path}/trace_pipe`, constants.O_RDONLY | constants.O_NONBLOCK);
    const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
    const reading = measureReading(expected);
    let records = 0;
    let rest = '';
    for (let length = readText(fd, buffer); length > 0; length = readText(fd, buffer)) {
      // Latin-1 both ways keeps every byte, and is the cheapest.
      const text = rest + buffer.toString('latin1', 0, length);
      const end = text.lastIndexOf('\n') + 1;
      const { json, events } = convert(text.slice(0, end));
      Buffer.from(json, 'latin1');
      records += events;
      rest = text.slice(end);
      reading.progress({ records, events: records });
    }
    closeSync(fd);
    removeInstance(instance);
    return reading.result();
  });
}
