/**
 * A process that brings a file of events to a receiver of OTLP, by our sink or by OpenTelemetry's SDK:
 *
 *     node bench/otlp/shipper.ts sink|sdk FILE ENDPOINT
 *
 * Prints the CPU seconds that this took, and how many events were handed over in them, after a first part that is for
 * the compiler.
 */
import { readFileSync } from 'node:fs';
import { OTLPLogExporter } from '@opentelemetry/exporter-logs-otlp-proto';
import { BatchLogRecordProcessor, LoggerProvider } from '@opentelemetry/sdk-logs';
import type { TcpEvent } from '../../src/event/tcp-event.ts';
import { createRecordMaker } from '../../src/sink/otlp/encode/log-record.ts';
import { createOtlpSink } from '../../src/sink/otlp/otlp.ts';
import { batchOfTexts } from '../../test/support/batch.ts';
import { silentLog } from '../../test/support/silent-log.ts';

export interface ShipperReport {
  readonly cpuSeconds: number;
  readonly events: number;
}

/** Of the agent's batches; the SDK gets the same. */
const BATCH = 500;
const WARM_UP_SHARE = 0.3;

type Ship = (texts: readonly string[]) => Promise<void>;

function bySink(endpoint: string): Ship {
  const sink = createOtlpSink({
    protocol: 'http/protobuf',
    endpoint,
    headers: {},
    compression: 'gzip',
    timeoutMs: 30_000,
    tls: { caFile: null, certificateFile: null, keyFile: null },
    version: 'bench',
    log: silentLog,
  });
  return async (texts) => {
    const { refused, retry } = await sink.send(batchOfTexts(texts));
    if (retry !== null || refused.length > 0) throw new Error(retry?.reason ?? 'events were refused');
  };
}

/** Records are emitted as an application would, and forced out batch by batch, or the SDK would drop them. */
function bySdk(endpoint: string): Ship {
  const exporter = new OTLPLogExporter({ url: `${endpoint}/v1/logs`, compression: 'gzip' as never });
  const processor = new BatchLogRecordProcessor({ exporter, maxExportBatchSize: BATCH });
  const provider = new LoggerProvider({ processors: [processor] });
  const logger = provider.getLogger('ktc-agent', 'bench');
  const makeRecord = createRecordMaker('bench');
  return async (texts) => {
    for (const text of texts) {
      const record = makeRecord(JSON.parse(text) as TcpEvent, [0, 0]);
      const { hrTime, severityNumber, severityText, eventName, attributes } = record;
      logger.emit({
        timestamp: hrTime,
        attributes,
        ...(severityNumber !== undefined && { severityNumber }),
        ...(severityText !== undefined && { severityText }),
        ...(eventName !== undefined && { eventName }),
      });
    }
    await provider.forceFlush();
  };
}

const [, , way, file = '', endpoint = ''] = process.argv;
const ship = way === 'sink' ? bySink(endpoint) : bySdk(endpoint);
const texts = readFileSync(file, 'utf8').trimEnd().split('\n');
const measuredFrom = Math.floor((texts.length * WARM_UP_SHARE) / BATCH) * BATCH;
let before = process.cpuUsage();
for (let from = 0; from < texts.length; from += BATCH) {
  if (from === measuredFrom) before = process.cpuUsage();
  await ship(texts.slice(from, from + BATCH));
}
const { user, system } = process.cpuUsage(before);
const report: ShipperReport = { cpuSeconds: (user + system) / 1e6, events: texts.length - measuredFrom };
process.stdout.write(JSON.stringify(report));
process.exit();
