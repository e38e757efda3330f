/** docs/configuration.md, from the schema. */
import { type ConfigPath, environmentName, keys, type schema } from './schema.ts';

const TITLES: Readonly<Record<keyof typeof schema, string>> = {
  host: 'Host',
  source: 'Source of events',
  events: 'Kinds of events',
  exclude: 'Exclusions',
  limits: 'Limits',
  summary: 'Summaries',
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

Every key has a default that works; only a sink must be chosen. Values come in layers, and a later one wins:

1. the defaults below;
2. \`config/local.json\`, inside the program, for \`ktc run --local\` only;
3. \`/etc/ktc/agent.json\`, or the file that \`--config\` names;
4. \`conf.d/*.json\` beside that file, in the order of their names: a good place for what one host needs;
5. the environment: the variable of each key is below, an empty one counts as not set;
6. \`--set path=value\`, as often as needed, such as \`--set batch.linger_ms=50\`.

A later layer replaces a list as a whole and adds to labels by name. In variables and flags a value is JSON or plain
text; items of a list may stand between commas (\`KTC_SINK_KAFKA_BROKERS=kafka-1:9092,kafka-2:9092\`), and labels as
\`name=value\` (\`KTC_HOST_LABELS=rack=r12,role=web\`, or one label as \`--set host.labels.rack=r12\`).

The agent does not start with a mistake in any layer: an unknown key, a value out of bounds, files that are not there,
keys that contradict each other. It prints all of them at once, with the place of each, and ends with code 78.
\`ktc config check\` does only that; \`ktc config show\` prints every value and the layer that set it.

Secrets are never values of keys. They are in files of their own, mode 0600 or narrower, owned by root or by
\`process.user\`, and nothing prints their content.

Keys marked "reload" take effect on SIGHUP. When another key has changed too, the reload is refused as a whole with a
message, and the old configuration stays.

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
