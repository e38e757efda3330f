/** The records of a recording, kept so that many simulated hosts can give them again and again. */
import type { TcpRecord } from '../../../src/source/decode/record.ts';
import type { Task } from '../../../src/source/host/tasks.ts';
import { openReplay } from '../../../src/source/recording/replay.ts';
import { handlerOf } from '../record-handler.ts';

/** A record with bytes of its own: the local address at 0, the remote one behind it. */
export interface CapturedRecord {
  readonly record: TcpRecord;
  readonly task: Task;
}

function copyOf(record: TcpRecord): TcpRecord {
  const { bytes, localAddress, remoteAddress, addressLength } = record;
  const addressAt = (at: number) => bytes.subarray(at, at + addressLength);
  return {
    ...record,
    bytes: Buffer.concat([addressAt(localAddress), addressAt(remoteAddress)]),
    localAddress: 0,
    remoteAddress: addressLength,
  };
}

/** Plays a recording once and keeps its records over IPv4, whose addresses can be made those of another host. */
export async function captureRecords(path: string): Promise<readonly CapturedRecord[]> {
  const opened = await openReplay(path, (problem) => {
    throw new Error(problem);
  });
  if (!opened.ok) throw new Error(opened.problem);
  const source = opened.value;
  const captured: CapturedRecord[] = [];
  await source.run(
    handlerOf({
      record(record) {
        if (record.addressLength !== 4) return;
        const { thread, cpu, time } = record;
        captured.push({ record: copyOf(record), task: source.tasks(thread, cpu, time) });
      },
    }),
  );
  return captured;
}
