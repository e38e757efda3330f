/** The agent without a sink: raw pages of the ring buffer to JSON bytes in closed batches. */
import { createAgent } from '../../src/agent/agent.ts';
import { NO_NEWS, openSource } from '../../src/agent/assembly/source.ts';
import { loadConfig } from '../../src/config/load.ts';
import { createLedger } from '../../src/ledger/ledger.ts';
import { systemFiles } from '../../src/pipeline/spool/disk/files.ts';
import { openMemorySpool } from '../../src/pipeline/spool/open.ts';
import { mapProbes } from '../../src/source/probes.ts';
import type { Source } from '../../src/source/source.ts';
import { rateLimited } from '../../src/telemetry/fault-log.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { watchProcess } from '../../src/telemetry/process.ts';
import { measureReading, serveReader } from './reader.ts';

const [instance, bufferKb] = process.argv.slice(2);
const off = { enabled: false };
const loaded = loadConfig({
  file: null,
  environment: {},
  flags: {},
  embedded: {
    source: {
      instance,
      buffer_kb: Number(bufferKb),
      // The one probe that all readers have.
      probes: { ...mapProbes(() => off), tcp_set_state: { filter: 'comm == "steady"' } },
    },
    spool: off,
    sink: { stdout: { enabled: true } },
  },
});
if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
const { sink, ...others } = loaded.value.config;
const config = { ...others, sink: { ...sink, stdout: { ...sink.stdout, enabled: false } } };
const opened = await openSource(config, NO_NEWS);
if (!opened.ok) throw new Error(opened.problem);
const { log } = createLogger({ level: 'fatal' });

await serveReader(async (records) => {
  const reading = measureReading(records);
  const source: Source = {
    ...opened.value,
    run: (handler) =>
      opened.value.run({
        ...handler,
        advance(time, more) {
          handler.advance(time, more);
          if (ledger.read <= records) reading.progress({ records: ledger.read, events: ledger.emitted });
          // Not from inside of the reading, which it would begin anew.
          if (ledger.read >= records) setImmediate(opened.value.stop);
        },
      }),
  };
  const ledger = createLedger([]);
  const agent = createAgent({
    config,
    ledger,
    spool: openMemorySpool(ledger.sinks, config.queue.max_bytes, systemFiles),
    sinks: [],
    source,
    version: 'bench',
    log,
    faults: rateLimited(log, { intervalMs: 60_000 }),
    processWatch: watchProcess(),
    onDelivered() {},
    onStopping() {},
  });
  await agent.run();
  return reading.result();
});
