/** Every mistake an operator can make ends in exit code 78 and in exactly these words. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { PROBES } from '../../../src/source/probes.ts';
import { makeFiles, runConfig } from './command.ts';

interface Case {
  readonly name: string;
  /** agent.json: an object, or the text itself. */
  readonly file?: string | object;
  readonly more?: Readonly<Record<string, string | object>>;
  readonly environment?: Readonly<Record<string, string>>;
  readonly set?: readonly string[];
  /** Lines on standard error; DIR is the directory of the files. */
  readonly says: readonly string[];
}

const stdout = { stdout: { enabled: true } };
const valid = { sink: stdout };
const kafka = (rest: object) => ({ sink: { kafka: { enabled: true, brokers: ['kafka-1:9092'], ...rest } } });

const otlp = (rest: object) => ({ sink: { otlp: { enabled: true, ...rest } } });

const cases: Case[] = [
  {
    name: 'unknown key, misspelt',
    file: { ...valid, batch: { max_event: 100 } },
    says: ['DIR/agent.json: batch.max_event: unknown key, the nearest is batch.max_events'],
  },
  {
    name: 'unknown key, right name in the wrong place',
    file: { ...valid, brokers: ['a:9092'] },
    says: ['DIR/agent.json: brokers: unknown key, the nearest is sink.kafka.brokers'],
  },
  {
    name: 'unknown key, nothing is near',
    file: { ...valid, frobnicate: true },
    says: ['DIR/agent.json: frobnicate: unknown key'],
  },
  {
    name: 'a key that every JavaScript object has',
    file: '{"sink": {"stdout": {"enabled": true}}, "constructor": 1, "__proto__": {"polluted": true}}',
    says: ['DIR/agent.json: constructor: unknown key', 'DIR/agent.json: __proto__: unknown key'],
  },
  {
    name: 'unknown key that would break the line',
    file: { ...valid, 'a\nktc: all is well\u001b[2J': 1 },
    says: ['DIR/agent.json: a\\u000aktc: all is well\\u001b[2J: unknown key'],
  },
  {
    name: 'string for a number',
    file: { ...valid, batch: { max_events: '500' } },
    says: ['DIR/agent.json: batch.max_events: must be an integer from 1 to 10000, is "500"'],
  },
  {
    name: 'fraction',
    file: { ...valid, batch: { linger_ms: 0.5 } },
    says: ['DIR/agent.json: batch.linger_ms: must be an integer from 0 to 10000, is 0.5'],
  },
  {
    name: 'halves of surrogate pairs, which JSON in UTF-8 cannot have',
    file: String.raw`{"sink":{"stdout":{"enabled":true}},"host":{"name":"web\ud83d","labels":{"rack":"\udc00r7","role":"\ud83d\ude00"}}}`,
    set: ['exclude.comms=["a\\ud800"]', 'source.probes.tcp_set_state.filter="\\udfff"'],
    says: [
      'DIR/agent.json: host.name: is not Unicode text: a part of it is no character',
      'DIR/agent.json: host.labels.rack: is not Unicode text: a part of it is no character',
      '--set: exclude.comms[0]: is not Unicode text: a part of it is no character',
      '--set: source.probes.tcp_set_state.filter: is not Unicode text: a part of it is no character',
    ],
  },
  {
    name: 'bytes that are no UTF-8, as Node.js gives them of the environment and of the command line',
    file: valid,
    environment: { KTC_HOST_NAME: 'web\ufffd', KTC_HOST_LABELS: 'rack=r\ufffd7,role=web' },
    set: ['host.labels.owner=\ufffd'],
    says: [
      'KTC_HOST_NAME: host.name: is not Unicode text: a part of it is no character',
      'KTC_HOST_LABELS: host.labels: is not Unicode text: a part of it is no character',
      '--set: host.labels.owner: is not Unicode text: a part of it is no character',
    ],
  },
  {
    name: 'labels with characters that end a line or a string',
    file: { ...valid, host: { labels: { rack: 'a\u0000b', role: 'a\nb', owner: '\u0085' } } },
    says: [
      'DIR/agent.json: host.labels.rack: must be a line of 1 to 255 characters, is "a\\u0000b"',
      'DIR/agent.json: host.labels.role: must be a line of 1 to 255 characters, is "a\\nb"',
      'DIR/agent.json: host.labels.owner: must be a line of 1 to 255 characters, is "\\u0085"',
    ],
  },
  {
    name: 'variables that look like those of an orchestrator and are misspelt ones of ours',
    file: valid,
    environment: {
      KTC_TELEMETRY_PORT: '9474',
      KTC_SINK_KAFKA_PORT: '9092',
      KTC_SINK_KAFKA_SERVICE_HOST: 'kafka-1:9092',
      KTC_BATCH_SERVICE_PORT: 'many',
      KTC_PORTS: '443',
    },
    says: [
      'KTC_TELEMETRY_PORT: unknown variable, the nearest is KTC_TELEMETRY_HTTP_PORT',
      'KTC_SINK_KAFKA_PORT: unknown variable, the nearest is KTC_SINK_KAFKA_FORMAT',
      'KTC_SINK_KAFKA_SERVICE_HOST: unknown variable, the nearest is KTC_SINK_KAFKA_BROKERS',
      'KTC_BATCH_SERVICE_PORT: unknown variable',
      'KTC_PORTS: unknown variable',
    ],
  },
  {
    name: 'null',
    file: { ...valid, host: { name: null } },
    says: ['DIR/agent.json: host.name: must be a line of 1 to 253 characters, or "" for none, is null'],
  },
  {
    name: 'below the minimum',
    file: { ...valid, source: { buffer_kb: 63 } },
    says: ['DIR/agent.json: source.buffer_kb: must be an integer from 64 to 1048576, is 63'],
  },
  {
    name: 'above the maximum',
    file: { ...valid, tracking: { max_connections: 4194305 } },
    says: ['DIR/agent.json: tracking.max_connections: must be an integer from 1024 to 4194304, is 4194305'],
  },
  {
    name: 'string for a boolean',
    file: { ...valid, events: { tcp_life: 'yes' } },
    says: ['DIR/agent.json: events.tcp_life: must be true or false, is "yes"'],
  },
  {
    name: 'no such choice',
    file: { ...valid, log: { level: 'verbose' } },
    says: [
      'DIR/agent.json: log.level: must be one of "trace", "debug", "info", "warn", "error", "fatal", "silent", is "verbose"',
    ],
  },
  {
    name: 'value for a section',
    file: { ...valid, batch: 500 },
    says: ['DIR/agent.json: batch: must be an object, is 500'],
  },
  {
    name: 'section for a value',
    file: { ...valid, log: { level: { level: 'info' } } },
    says: [
      'DIR/agent.json: log.level: must be one of "trace", "debug", "info", "warn", "error", "fatal", "silent", is an object',
    ],
  },
  { name: 'list for the document', file: '[]', says: ['DIR/agent.json: must be an object, is a list'] },
  {
    name: 'string for a list',
    file: kafka({ brokers: 'kafka-1:9092' }),
    says: [
      'DIR/agent.json: sink.kafka.brokers: must be a list, each item host:port, an IPv6 address in brackets, is "kafka-1:9092"',
    ],
  },
  {
    name: 'brokers without port, with scheme, without brackets, with a port too high',
    file: kafka({ brokers: ['kafka-1', 'kafka://k:9092', '2001:db8::1:9092', 'k:65536', '[::1]:9092'] }),
    says: [
      'DIR/agent.json: sink.kafka.brokers[0]: must be host:port, an IPv6 address in brackets, is "kafka-1"',
      'DIR/agent.json: sink.kafka.brokers[1]: must be host:port, an IPv6 address in brackets, is "kafka://k:9092"',
      'DIR/agent.json: sink.kafka.brokers[2]: must be host:port, an IPv6 address in brackets, is "2001:db8::1:9092"',
      'DIR/agent.json: sink.kafka.brokers[3]: must be host:port, an IPv6 address in brackets, is "k:65536"',
    ],
  },
  {
    name: 'topic with two placeholders, or with an unknown one',
    file: kafka({ topic: '{event}.{event}' }),
    environment: { KTC_SINK_KAFKA_TOPIC: 'ktc.{kind}' },
    says: [
      'DIR/agent.json: sink.kafka.topic: must be 1 to 249 letters, digits or ".", "_", "-", with "{event}" at most once, is "{event}.{event}"',
      'KTC_SINK_KAFKA_TOPIC: sink.kafka.topic: must be 1 to 249 letters, digits or ".", "_", "-", with "{event}" at most once, is "ktc.{kind}"',
    ],
  },
  {
    name: 'packed messages with a key that their events do not share, or larger than a request',
    file: kafka({ format: 'ndjson', key: 'event_id', max_message_bytes: 950_000 }),
    says: [
      'DIR/agent.json: sink.kafka.max_message_bytes: is 950000, more than sink.kafka.max_request_bytes, which is 900000',
      'DIR/agent.json: sink.kafka.key: is "event_id", which differs between the events of one message: "ndjson" takes the key "host"',
    ],
  },
  {
    name: 'topic that Kafka refuses',
    file: kafka({ topic: 'ktc events' }),
    says: [
      'DIR/agent.json: sink.kafka.topic: must be 1 to 249 letters, digits or ".", "_", "-", with "{event}" at most once, is "ktc events"',
    ],
  },
  {
    name: 'networks that are none',
    file: { ...valid, exclude: { addresses: ['10.0.0.0/8', '10.0.0.0/33', '10.0.0', 'fe80::/129', '::/0'] } },
    says: [
      'DIR/agent.json: exclude.addresses[1]: must be an IPv4 or IPv6 address or CIDR such as "10.0.0.0/8", is "10.0.0.0/33"',
      'DIR/agent.json: exclude.addresses[2]: must be an IPv4 or IPv6 address or CIDR such as "10.0.0.0/8", is "10.0.0"',
      'DIR/agent.json: exclude.addresses[3]: must be an IPv4 or IPv6 address or CIDR such as "10.0.0.0/8", is "fe80::/129"',
    ],
  },
  {
    name: 'ports that are none',
    file: { ...valid, exclude: { ports: [22, 0, 70000, '443'] } },
    says: [
      'DIR/agent.json: exclude.ports[1]: must be an integer from 1 to 65535, is 0',
      'DIR/agent.json: exclude.ports[2]: must be an integer from 1 to 65535, is 70000',
      'DIR/agent.json: exclude.ports[3]: must be an integer from 1 to 65535, is "443"',
    ],
  },
  {
    name: 'process name longer than the kernel keeps, counted in bytes',
    file: { ...valid, exclude: { comms: ['node_exporter', 'systemd-resolved', 'ééééééééé'] } },
    says: [
      'DIR/agent.json: exclude.comms[1]: must be a process name of 1 to 15 bytes, is "systemd-resolved"',
      'DIR/agent.json: exclude.comms[2]: must be a process name of 1 to 15 bytes, is "ééééééééé"',
    ],
  },
  {
    name: 'label that is no string',
    file: { ...valid, host: { labels: { rack: 12 } } },
    says: ['DIR/agent.json: host.labels.rack: must be a line of 1 to 255 characters, is 12'],
  },
  {
    name: 'label with a dot in its name',
    file: { ...valid, host: { labels: { 'rack.row': 'a' } } },
    says: [
      'DIR/agent.json: host.labels: each name must be a letter followed by up to 62 letters, digits, "_" or "-", one is "rack.row"',
    ],
  },
  {
    name: 'instance name that would leave its directory',
    file: { ...valid, source: { instance: '../x' } },
    says: ['DIR/agent.json: source.instance: must be 1 to 64 letters, digits or "_", "-", is "../x"'],
  },
  {
    name: 'filter of two lines',
    file: { ...valid, source: { probes: { tcp_send_reset: { filter: 'dport == 1\nsport == 2' } } } },
    says: [
      'DIR/agent.json: source.probes.tcp_send_reset.filter: must be a line of 1 to 4095 characters, or "" for none, is "dport == 1\\nsport == 2"',
    ],
  },
  {
    name: 'telemetry on a host name',
    file: { ...valid, telemetry: { http: { address: 'localhost' } } },
    says: ['DIR/agent.json: telemetry.http.address: must be an IPv4 or IPv6 address, is "localhost"'],
  },
  {
    name: 'JSON with a comma too many',
    file: '{\n  "sink": {\n    "stdout": { "enabled": true },\n  }\n}\n',
    says: ['DIR/agent.json: line 4, column 3: expected a key in double quotes'],
  },
  {
    name: 'JSON with a comment',
    file: '{\n  // our brokers\n  "sink": {}\n}\n',
    says: ['DIR/agent.json: line 2, column 3: expected a key in double quotes'],
  },
  {
    name: 'JSON cut off',
    file: '{"sink": {"stdout": {"enabled": true}',
    says: ['DIR/agent.json: line 1, column 38: expected "," or "}", found the end'],
  },
  {
    name: 'empty file',
    file: '',
    says: ['DIR/agent.json: line 1, column 1: expected a value, found the end'],
  },
  {
    name: 'the same key twice',
    file: '{\n  "sink": {"stdout": {"enabled": true}},\n  "sink": {}\n}',
    says: ['DIR/agent.json: line 3, column 3: the key "sink" is there twice'],
  },
  {
    name: 'override file with a mistake',
    file: valid,
    more: { 'conf.d/10-host.json': { log: { lvl: 'info' } } },
    says: ['DIR/conf.d/10-host.json: log.lvl: unknown key, the nearest is log.level'],
  },
  {
    name: 'unknown variable',
    file: valid,
    environment: { KTC_SINK_KAFKA_BROKER: 'kafka-1:9092' },
    says: ['KTC_SINK_KAFKA_BROKER: unknown variable, the nearest is KTC_SINK_KAFKA_BROKERS'],
  },
  {
    name: 'variables of the wrong type',
    file: valid,
    environment: { KTC_BATCH_MAX_EVENTS: '5e2', KTC_EVENTS_TCP_LIFE: '1', KTC_HOST_LABELS: 'rack' },
    says: [
      'KTC_BATCH_MAX_EVENTS: batch.max_events: must be an integer from 1 to 10000, is "5e2"',
      'KTC_EVENTS_TCP_LIFE: events.tcp_life: must be true or false, is "1"',
      'KTC_HOST_LABELS: host.labels: must be an object of strings, each name a letter followed by up to 62 letters, digits, "_" or "-", each value a line of 1 to 255 characters, is "rack"',
    ],
  },
  {
    name: 'flags: no value, unknown key, section, out of range',
    file: valid,
    set: ['batch.max_events', 'batch.size=1', 'sink.kafka={"enabled":true}', 'shutdown.timeout_s=0'],
    says: [
      '--set: batch.size: unknown key',
      '--set: sink.kafka: is a section: set its keys one by one',
      '--set: shutdown.timeout_s: must be an integer from 1 to 600, is 0',
      '--set: needs path=value, such as batch.linger_ms=50',
    ],
  },
  {
    name: 'OTLP to something that is no URL, whose text may be a secret',
    file: otlp({ endpoint: 'https://user:hunter2@collector:4318' }),
    says: [
      'DIR/agent.json: sink.otlp.endpoint: must be an http:// or https:// URL without user name, password and fragment, or "" for none, is something else (not shown)',
    ],
  },
  {
    name: 'OTLP over gRPC to a path',
    file: otlp({ protocol: 'grpc', endpoint: 'http://collector:4317/v1/logs' }),
    says: ['DIR/agent.json: sink.otlp.endpoint: must have no path when sink.otlp.protocol is "grpc"'],
  },
  {
    name: "OTLP with a header that is the sink's own, and one that would break the request",
    file: otlp({ headers: { 'Content-Type': 'text/plain', 'x-tenant': 'a\r\nx-evil: 1' } }),
    says: [
      'DIR/agent.json: sink.otlp.headers: each name must be the name of an HTTP header that the agent does not set itself, one is "Content-Type"',
      'DIR/agent.json: sink.otlp.headers.x-tenant: must be 1 to 8192 printable ASCII characters, is "a\\r\\nx-evil: 1"',
    ],
  },
  {
    name: 'OTLP with a certificate and no key',
    file: otlp({ tls: { certificate_file: 'DIR/client.pem' } }),
    more: { 'client.pem': 'PEM' },
    says: ['DIR/agent.json: sink.otlp.tls.key_file: must be set when sink.otlp.tls.certificate_file is'],
  },
  {
    name: 'OTLP with a key that others may read, and no authority',
    file: otlp({
      tls: { ca_file: 'DIR/ca.pem', certificate_file: 'DIR/client.pem', key_file: 'DIR/client.key' },
    }),
    more: { 'client.pem': 'PEM', 'client.key': 'PEM' },
    says: [
      'DIR/agent.json: sink.otlp.tls.ca_file: cannot be read: no such file or directory',
      'DIR/agent.json: sink.otlp.tls.key_file: has mode 0644, which lets others in: chmod it to 0600',
    ],
  },
  {
    name: 'no sink',
    file: {},
    says: [
      'sink.kafka.enabled: no sink is enabled: set this, sink.otlp.enabled, sink.file.enabled or sink.stdout.enabled to true',
    ],
  },
  {
    name: 'Kafka without brokers',
    file: kafka({ brokers: [] }),
    says: ['DIR/agent.json: sink.kafka.brokers: must name at least one broker when Kafka is enabled'],
  },
  {
    name: 'two sinks on standard output',
    file: { sink: { ...stdout, file: { enabled: true, path: '/dev/stdout' } } },
    says: [
      'DIR/agent.json: sink.file.path: is standard output, where sink.stdout writes too: change the path or switch one of them off',
    ],
  },
  {
    name: 'login without name and password',
    file: kafka({ sasl: { mechanism: 'plain' } }),
    says: [
      'DIR/agent.json: sink.kafka.sasl.username: must be set when sink.kafka.sasl.mechanism is "plain"',
      'DIR/agent.json: sink.kafka.sasl.password_file: must be set when sink.kafka.sasl.mechanism is "plain"',
    ],
  },
  {
    name: 'certificate without key',
    file: kafka({ tls: { enabled: true, certificate_file: '/dev/null' } }),
    says: ['DIR/agent.json: sink.kafka.tls.key_file: must be set when sink.kafka.tls.certificate_file is'],
  },
  {
    name: 'key without certificate, others may read it',
    file: kafka({ tls: { enabled: true, key_file: 'DIR/key.pem' } }),
    more: { 'key.pem': 'KEY' },
    says: [
      'DIR/agent.json: sink.kafka.tls.certificate_file: must be set when sink.kafka.tls.key_file is',
      'DIR/agent.json: sink.kafka.tls.key_file: has mode 0644, which lets others in: chmod it to 0600',
    ],
  },
  {
    name: 'authorities that are not there',
    file: kafka({ tls: { enabled: true, ca_file: 'DIR/ca.pem' } }),
    says: ['DIR/agent.json: sink.kafka.tls.ca_file: cannot be read: no such file or directory'],
  },
  {
    name: 'replay of nothing',
    file: { ...valid, source: { kind: 'replay' } },
    says: ['DIR/agent.json: source.recording: must be set when source.kind is "replay"'],
  },
  {
    name: 'replay of a file that is not there',
    file: { ...valid, source: { kind: 'replay' } },
    set: ['source.recording=DIR/none.ktc'],
    says: ['--set: source.recording: cannot be read: no such file or directory'],
  },
  {
    name: 'batch larger than the queue',
    file: { ...valid, queue: { max_bytes: 65536 } },
    says: ['DIR/agent.json: batch.max_bytes: is 1048576, more than queue.max_bytes, which is 65536'],
  },
  {
    name: 'longest pause shorter than the first',
    file: { sink: { ...stdout, retry_max_ms: 50 } },
    says: ['DIR/agent.json: sink.retry_initial_ms: is 100, more than sink.retry_max_ms, which is 50'],
  },
  {
    name: 'request that may last longer than delivery',
    file: kafka({ delivery_timeout_ms: 10000 }),
    says: [
      'DIR/agent.json: sink.kafka.request_timeout_ms: is 30000, more than sink.kafka.delivery_timeout_ms, which is 10000',
    ],
  },
  {
    name: 'every event off',
    file: valid,
    set: ['connect', 'accept', 'connect_latency', 'life', 'retransmit', 'state', 'reset'].map(
      (kind) => `events.tcp_${kind}=false`,
    ),
    says: [
      '--set: events.tcp_connect: every kind of event is switched off: leave one on, or set summary.interval_s',
    ],
  },
  {
    name: 'every probe off',
    file: valid,
    set: PROBES.map((probe) => `source.probes.${probe}.enabled=false`),
    says: ['--set: source.probes.tcp_set_state.enabled: every probe is switched off: leave one on'],
  },
  {
    name: 'mistakes in every layer, told at once and in order; a rule does not repeat them',
    file: { batch: { max_events: 0 }, sink: { kafka: { enabled: 'true' } } },
    more: { 'conf.d/1.json': { host: { nam: 'a' } }, 'conf.d/2.json': '{' },
    environment: { KTC_LOG_LEVEL: 'loud' },
    set: ['queue.max_bytes=1'],
    says: [
      'DIR/agent.json: batch.max_events: must be an integer from 1 to 10000, is 0',
      'DIR/agent.json: sink.kafka.enabled: must be true or false, is "true"',
      'DIR/conf.d/1.json: host.nam: unknown key, the nearest is host.name',
      'DIR/conf.d/2.json: line 1, column 2: expected a key in double quotes, found the end',
      'KTC_LOG_LEVEL: log.level: must be one of "trace", "debug", "info", "warn", "error", "fatal", "silent", is "loud"',
      '--set: queue.max_bytes: must be an integer from 65536 to 1073741824, is 1',
    ],
  },
  {
    name: 'a key that is wrong and a rule about others',
    file: { sink: { kafka: { enabled: true, broker: ['a:9092'] }, retry_max_ms: 50 } },
    says: [
      'DIR/agent.json: sink.kafka.broker: unknown key, the nearest is sink.kafka.brokers',
      'DIR/agent.json: sink.retry_initial_ms: is 100, more than sink.retry_max_ms, which is 50',
    ],
  },
];

describe('ktc config check ends with 78 and says', () => {
  it.each(cases)('$name', async ({ file = {}, more = {}, environment, set = [], says }) => {
    const directory = makeFiles(more);
    const place = <T extends string | object>(value: T): T =>
      JSON.parse(JSON.stringify(value).replaceAll('DIR', directory));
    writeFileSync(
      join(directory, 'agent.json'),
      typeof file === 'string' ? file : JSON.stringify(place(file)),
    );
    const flags = set.flatMap((flag) => ['--set', place(flag)]);
    const outcome = await runConfig(
      ['check', '--config', join(directory, 'agent.json'), ...flags],
      environment,
    );
    expect(outcome).toEqual({
      code: 78,
      stdout: '',
      stderr: place(says.map((line) => `ktc: ${line}\n`)).join(''),
    });
  });

  it('a named file that is not there', async () => {
    const path = join(makeFiles({}), 'none.json');
    const outcome = await runConfig(['check', '--config', path]);
    expect(outcome).toMatchObject({
      code: 78,
      stderr: `ktc: ${path}: cannot be read: no such file or directory\n`,
    });
  });

  it('a directory in place of the file', async () => {
    const path = makeFiles({});
    const outcome = await runConfig(['check', '--config', path]);
    expect(outcome).toMatchObject({ code: 78, stderr: `ktc: ${path}: cannot be read: it is a directory\n` });
  });

  it('a file that is not UTF-8', async () => {
    const path = join(makeFiles({ 'agent.json': Buffer.from([0x7b, 0xff, 0x7d]) }), 'agent.json');
    const outcome = await runConfig(['check', '--config', path]);
    expect(outcome).toMatchObject({ code: 78, stderr: `ktc: ${path}: is not UTF-8 text\n` });
  });
});
