/** The spool that a configuration asks for. */
import type { Logger } from 'pino';
import type { AgentConfig } from '../../config/schema.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import { systemFiles } from '../../pipeline/spool/disk/files.ts';
import { type OpenSpool, openDiskSpool, openMemorySpool } from '../../pipeline/spool/open.ts';
import { type Result, success } from '../../shared/result.ts';
import type { FaultLog } from '../../telemetry/fault-log.ts';

const FAULT = 'spool';
const DAMAGE = 'spool_damaged';

export async function openSpool(
  { spool, queue }: AgentConfig,
  { sinks }: Ledger,
  faults: FaultLog,
  log: Logger,
): Promise<Result<OpenSpool>> {
  if (!spool.enabled) return success(openMemorySpool(sinks, queue.max_bytes, systemFiles));
  return openDiskSpool({
    directory: spool.directory,
    limits: { memoryBytes: queue.max_bytes, maxBytes: spool.max_bytes, whenFull: spool.when_full },
    fsyncIntervalMs: spool.fsync_interval_ms,
    accounts: sinks,
    files: systemFiles,
    now: () => performance.now(),
    report: {
      fault: (problem) => faults.report('error', FAULT, problem),
      recovered() {
        faults.settle(FAULT);
        log.info({}, 'the spool takes events again');
      },
      damage: (problem, events) =>
        faults.report('error', DAMAGE, `${events} spooled events are lost: ${problem}`, { events }),
      note: (message) => log.warn({}, message),
    },
  });
}
