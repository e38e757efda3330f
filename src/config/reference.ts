/** docs/configuration.md, from the schema. */
import { type ConfigPath, environmentName, keys, type schema } from './schema.ts';

const TITLES: Readonly<Record<keyof typeof schema, string>> = {
  host: 'Host',
  source: 'Source of events',
  events: 'Kinds of events',
  exclude: 'Exclusions',
  limits: 'Limits',
  summary: 'Summaries',
  host_status: 'Host status',
  tracking: 'Connection tracking',
  batch: 'Batches',
  queue: 'Queue',
  spool: 'Spool',
  dead_letter: 'Dead letters',
  sink: 'Sinks',
  process: 'Process',
  log: 'Log',
  telemetry: 'Telemetry',
  shutdown: 'Shutdown',
};

const INTRODUCTION = `# Configuration

<!-- Generated from src/config/schema.ts by \`ktc config reference\` (\`make docs\`). Do not edit. -->

This page lists every key of the configuration. Operators need it to write \`/etc/ktc/agent.json\`.

Every key has a default that works; you only have to choose a sink. Values come from layers, and a later layer wins:

1. the defaults below;
2. \`config/local.json\`, which is part of the program, for \`ktc run --local\` only;
3. \`/etc/ktc/agent.json\`, or the file that \`--config\` names;
4. \`conf.d/*.json\` beside that file, in the order of their names: a good place for the settings of one host;
5. the environment: each key below names its variable; an empty variable counts as not set;
6. \`--set path=value\`, as often as needed, such as \`--set batch.linger_ms=50\`.

A later layer replaces a whole list, but adds to the labels by name. In \`conf.d\`, \`null\` removes what the files before it have
set, be it a key or one label. In variables and flags a value is JSON or plain text.
Items of a list may be separated by commas (\`KTC_SINK_KAFKA_BROKERS=kafka-1:9092,kafka-2:9092\`). Labels may be written as
\`name=value\` (\`KTC_HOST_LABELS=rack=r12,role=web\`, or one label as \`--set host.labels.rack=r12\`).

The agent does not start if any layer has a mistake: an unknown key, a value out of bounds, a missing file, keys that
contradict each other, an unknown variable that begins with \`KTC_\`. Variables that an orchestrator sets for a service called
\`ktc\`, such as \`KTC_PORT=tcp://10.96.0.7:9474\`, are named in one line and ignored. It prints all mistakes at once, each with its place, and ends with code 78.
\`ktc config check\` only checks; \`ktc config show\` prints every value and the layer that set it.

A secret is never the value of a key. Secrets are in files of their own, mode 0600 or narrower, owned by root or by
\`process.user\`, and the agent never prints their content.

Keys with "Change: reload" take effect on SIGHUP. If another key has changed too, the agent refuses the whole reload with a
message, and keeps the old configuration.

Complete files to start from: [agent.json](../config/agent.json), and in [examples](../config/examples)
[kafka-sasl.json](../config/examples/kafka-sasl.json), [otlp.json](../config/examples/otlp.json),
[retransmits-only.json](../config/examples/retransmits-only.json) and
[file-and-stdout.json](../config/examples/file-and-stdout.json).
`;

/** The reference page of all keys, Markdown. */
export function formatReference(): string {
  const sections = Object.entries(TITLES).map(([section, title]) => {
    const paths = [...keys.keys()].filter((path) => path.startsWith(`${section}.`));
    return `## ${title}\n\n${paths.map(formatKey).join('\n')}`;
  });
  return [INTRODUCTION, ...sections].join('\n');
}

function formatKey(path: ConfigPath): string {
  const key = keys.get(path);
  if (key === undefined) throw new Error(`${path} is not in the schema`);
  const facts = [
    `- Type: ${key.expects}`,
    `- Default: \`${JSON.stringify(key.default)}\``,
    `- Environment: \`${environmentName(path)}\``,
    `- Change: ${key.reloadable ? 'reload' : 'restart'}`,
  ];
  return `### ${path}\n\n${key.doc}\n\n${facts.join('\n')}\n`;
}
