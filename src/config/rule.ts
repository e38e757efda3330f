/** Rules about several keys: values that are right one by one and wrong together. */
import { type CrossCheck, ordered, unreadable } from '../setting/cross-check.ts';
import { SINK_NAMES } from '../sink/registry.ts';
import { type AgentConfig, type ConfigPath, keys } from './schema.ts';
import { sinks } from './sinks.ts';

const STANDARD_OUTPUT = /^\/(dev\/stdout|dev\/fd\/1|proc\/self\/fd\/1)$/;

function keysBelow(section: string, last = ''): [ConfigPath, ...ConfigPath[]] {
  const [first, ...rest] = [...keys.keys()].filter((path) => path.startsWith(section) && path.endsWith(last));
  if (first === undefined) throw new Error(`no key below ${section}`);
  return [first, ...rest];
}

/** `a, b or c` */
function alternatives(words: readonly string[]): string {
  return [words.slice(0, -1).join(', '), ...words.slice(-1)].filter((part) => part !== '').join(' or ');
}

const [firstSink, ...otherSinks] = SINK_NAMES.map((name) => `sink.${name}.enabled` as const);
if (firstSink === undefined) throw new Error('there is no sink');

export const rules: readonly CrossCheck<AgentConfig, ConfigPath>[] = [
  {
    reads: [firstSink, ...otherSinks],
    check: ({ sink }) =>
      SINK_NAMES.some((name) => sink[name].enabled)
        ? null
        : `no sink is enabled: set this, ${alternatives(otherSinks)} to true`,
  },
  {
    reads: [...keysBelow('events.'), 'summary.interval_s'],
    check: ({ events, summary }) =>
      Object.values(events).includes(true) || summary.interval_s > 0
        ? null
        : 'every kind of event is switched off: leave one on, or set summary.interval_s',
  },
  {
    reads: [...keysBelow('source.probes.', '.enabled'), 'source.kind'],
    check: ({ source }) =>
      source.kind === 'replay' || Object.values(source.probes).some(({ enabled }) => enabled)
        ? null
        : 'every probe is switched off: leave one on',
  },
  {
    reads: ['source.recording', 'source.kind'],
    check: ({ source }) => {
      if (source.kind !== 'replay') return null;
      return source.recording === ''
        ? 'must be set when source.kind is "replay"'
        : unreadable(source.recording);
    },
  },
  {
    reads: ['process.group', 'process.user'],
    check: ({ process: { user, group } }) =>
      group !== '' && user === '' ? 'needs process.user: set that too, or neither' : null,
  },
  ordered('batch.max_bytes', 'queue.max_bytes', ({ batch, queue }) => [batch.max_bytes, queue.max_bytes]),
  {
    reads: ['spool.max_bytes', 'batch.max_bytes', 'spool.enabled'],
    check: ({ spool, batch }) =>
      !spool.enabled || spool.max_bytes >= 4 * batch.max_bytes
        ? null
        : `is ${spool.max_bytes}, less than four times batch.max_bytes, which is ${batch.max_bytes}`,
  },
  ordered('sink.retry_initial_ms', 'sink.retry_max_ms', ({ sink }) => [
    sink.retry_initial_ms,
    sink.retry_max_ms,
  ]),
  {
    reads: ['sink.file.path', 'sink.file.enabled', 'sink.stdout.enabled'],
    check: ({ sink: { file, stdout } }) =>
      file.enabled && stdout.enabled && STANDARD_OUTPUT.test(file.path)
        ? 'is standard output, where sink.stdout writes too: change the path or switch one of them off'
        : null,
  },
  ...SINK_NAMES.flatMap((name) => sinks[name].checks),
];
