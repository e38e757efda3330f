/** Standard output as a sink of the agent. */
import { key } from '../../setting/key.ts';
import { boolean, oneOf } from '../../setting/kind.ts';
import type { SinkConfig, SinkDefinition, SinkPath } from '../definition.ts';
import { createStdoutSink } from './stdout.ts';

const keys = {
  enabled: key(boolean, { default: false, doc: 'Print events to standard output.' }),
  format: key(oneOf('ndjson', 'table'), {
    default: 'ndjson',
    doc: 'What is printed. `ndjson`: one JSON object per line, for programs; `table`: a table for people.',
  }),
};

export const stdout = {
  keys,
  checks: [],
  secret: null,
  create({ sink }, _, { onStdoutClosed }) {
    const { format } = sink.stdout;
    return createStdoutSink({ format, stream: process.stdout, onClosed: onStdoutClosed });
  },
  // To open it would print.
  check: async () => null,
} satisfies SinkDefinition<SinkConfig<'stdout', typeof keys>, SinkPath<'stdout', typeof keys>, unknown>;
