/** A real OpenTelemetry Collector: OTLP in, a file out, which is read here as the account of what it has. */
import { appendFileSync, createReadStream, existsSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { createCollectorProcess } from './collector-process.ts';
import { type Account, openAccount } from './event-account.ts';
import { freePorts, until } from './wait.ts';

const UID = /"log\.record\.uid","value":\{"stringValue":"([^"]*)"/;

export interface CollectorOptions {
  /** PEM files of its own; with an authority, clients need a certificate from it. */
  readonly tls?: { readonly certificate: string; readonly key: string; readonly clientAuthority?: string };
  /** What clients must send as `authorization: Bearer …`. */
  readonly token?: string;
  /** Largest message over gRPC, MiB. */
  readonly maxMessageMiB?: number;
}

/** A log record as the collector has it, with all that is around it. */
export interface CollectedRecord {
  readonly resource: Attributes;
  readonly scope: { readonly name: string; readonly version: string; readonly attributes: Attributes };
  readonly eventName: string;
  readonly timeUnixNano: string;
  readonly observedTimeUnixNano: string;
  readonly severityNumber: number;
  readonly severityText: string;
  readonly attributes: Attributes;
}
/** Whole numbers are bigints. */
export type Attributes = Readonly<Record<string, string | bigint>>;

export interface Collector {
  /** `http://127.0.0.1:<port>`, or https. */
  readonly httpEndpoint: string;
  readonly grpcEndpoint: string;
  /** Starts again on the same ports, and goes on writing the same file. */
  start(): Promise<void>;
  /** SIGTERM; resolves when it is gone. */
  stop(): Promise<void>;
  /** SIGKILL: what it has acknowledged is in the file. */
  kill(): Promise<void>;
  /** SIGSTOP: connections stay open and nothing answers. Resolves when every thread has stopped. */
  pause(): Promise<void>;
  /** SIGCONT. */
  resume(): void;
  /** Runs and answers again, whatever was done to it: what a test that has failed leaves behind. */
  restore(): Promise<void>;
  /** Everything in its file so far, in order. */
  records(): CollectedRecord[];
  /** Of its records, all but the time they were sent, read as a stream. */
  account(): Promise<Account>;
  /** Stops it and removes its files. */
  remove(): Promise<void>;
}

/** Starts a collector on free ports and resolves when it listens. */
export async function startCollector(options: CollectorOptions = {}): Promise<Collector> {
  const [httpPort = 0, grpcPort = 0] = await freePorts(2);
  const service = createCollectorProcess((directory) =>
    JSON.stringify(configuration(options, httpPort, grpcPort, accountIn(directory))),
  );
  const file = accountIn(service.directory);

  async function start(): Promise<void> {
    // Ends a line that a kill has torn.
    if (existsSync(file)) appendFileSync(file, '\n');
    service.start();
    const isUp = async () => {
      service.check();
      return (await isListening(httpPort)) && (await isListening(grpcPort));
    };
    await until(isUp, 'the collector to listen');
  }

  await start();
  const scheme = options.tls ? 'https' : 'http';
  return {
    httpEndpoint: `${scheme}://127.0.0.1:${httpPort}`,
    grpcEndpoint: `${scheme}://127.0.0.1:${grpcPort}`,
    start,
    stop: () => service.end('SIGTERM'),
    kill: () => service.end('SIGKILL'),
    pause: service.pause,
    resume: service.resume,
    async restore() {
      service.resume();
      if (!service.isRunning) await start();
    },
    records: () => (existsSync(file) ? readFileSync(file, 'utf8') : '').split('\n').flatMap(recordsOf),
    async account() {
      const account = openAccount();
      if (!existsSync(file)) return account;
      for await (const line of createInterface({ input: createReadStream(file) })) {
        for (const { logRecords } of logsOf(line)) {
          for (const { observedTimeUnixNano: _, ...record } of logRecords) {
            const content = JSON.stringify(record);
            account.add(UID.exec(content)?.[1] ?? '', content);
          }
        }
      }
      return account;
    },
    remove: service.remove,
  };
}

const accountIn = (directory: string): string => join(directory, 'logs.json');

function configuration(options: CollectorOptions, httpPort: number, grpcPort: number, file: string): object {
  const { tls, token, maxMessageMiB } = options;
  const common = {
    ...(tls && {
      tls: {
        cert_file: tls.certificate,
        key_file: tls.key,
        ...(tls.clientAuthority !== undefined && { client_ca_file: tls.clientAuthority }),
      },
    }),
    ...(token !== undefined && { auth: { authenticator: 'bearertokenauth' } }),
  };
  const http = { ...common, endpoint: `127.0.0.1:${httpPort}` };
  const grpc = {
    ...common,
    endpoint: `127.0.0.1:${grpcPort}`,
    ...(maxMessageMiB !== undefined && { max_recv_msg_size_mib: maxMessageMiB }),
  };
  return {
    receivers: { otlp: { protocols: { http, grpc } } },
    // Without rotation the exporter keeps what it has acknowledged in a buffer, and takes it along when it is killed.
    exporters: { file: { path: file, rotation: { max_megabytes: 10_000 } } },
    ...(token !== undefined && { extensions: { bearertokenauth: { token } } }),
    service: {
      ...(token !== undefined && { extensions: ['bearertokenauth'] }),
      telemetry: { metrics: { level: 'none' }, logs: { level: 'warn' } },
      pipelines: { logs: { receivers: ['otlp'], exporters: ['file'] } },
    },
  };
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

type AnyValue = { readonly stringValue: string } | { readonly intValue: string };
interface KeyValue {
  readonly key: string;
  readonly value: AnyValue;
}
interface Line {
  readonly resourceLogs: readonly {
    readonly resource: { readonly attributes: readonly KeyValue[] };
    readonly scopeLogs: readonly {
      readonly scope: {
        readonly name: string;
        readonly version: string;
        readonly attributes: readonly KeyValue[];
      };
      readonly logRecords: readonly (Omit<CollectedRecord, 'attributes' | 'resource' | 'scope'> & {
        readonly attributes: readonly KeyValue[];
      })[];
    }[];
  }[];
}

/** A torn line was never acknowledged, and holds nothing. */
function logsOf(text: string) {
  let line: Line;
  try {
    line = JSON.parse(text) as Line;
  } catch {
    return [];
  }
  return line.resourceLogs.flatMap(({ resource, scopeLogs }) =>
    scopeLogs.map(({ scope, logRecords }) => ({ resource, scope, logRecords })),
  );
}

function recordsOf(text: string): CollectedRecord[] {
  return logsOf(text).flatMap(({ resource, scope, logRecords }) =>
    logRecords.map((record) => ({
      ...record,
      resource: attributesOf(resource.attributes),
      scope: { ...scope, attributes: attributesOf(scope.attributes) },
      attributes: attributesOf(record.attributes),
    })),
  );
}

function attributesOf(list: readonly KeyValue[]): Attributes {
  return Object.fromEntries(
    list.map(({ key, value }) => [key, 'stringValue' in value ? value.stringValue : BigInt(value.intValue)]),
  );
}
