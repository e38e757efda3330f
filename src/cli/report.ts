/** `ktc report`: one page, or text, or JSON, of events that were written anywhere. */
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileInput, standardInput } from '../report/input/file.ts';
import type { Input } from '../report/input/input.ts';
import { kafkaInput } from '../report/input/kafka.ts';
import { spoolInput } from '../report/input/spool.ts';
import type { ReportModel } from '../report/model.ts';
import { readMoment } from '../report/moment.ts';
import { pageOf } from '../report/page.ts';
import { makeReport } from '../report/report.ts';
import { summaryOf } from '../report/summary.ts';
import { textOf } from '../report/text.ts';
import { counted } from '../report/words.ts';
import { isSystemError } from '../shared/errors.ts';
import { type Result, refusal, success } from '../shared/result.ts';
import { bytes } from '../shared/text.ts';
import { createCommand, usageError } from './command.ts';
import { EXIT, type ExitCode, fail, print } from './exit.ts';
import { configOptions, configurationError, readConfig } from './options.ts';
import { reportHelpText } from './report-help.ts';
import { VERSION } from './version.ts';

/** Beside the bundle, made by scripts/bundle.ts. */
const TEMPLATE = 'report.html';

const options = {
  ...configOptions,
  output: { type: 'string', short: 'o' },
  text: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
  since: { type: 'string' },
  until: { type: 'string' },
  topic: { type: 'string', multiple: true, default: [] as string[] },
  brokers: { type: 'string' },
  peers: { type: 'string', default: '5000' },
} as const;

interface Values {
  readonly config?: string;
  readonly set?: string[];
  readonly output?: string;
  readonly text: boolean;
  readonly json: boolean;
  readonly since?: string;
  readonly until?: string;
  readonly topic: string[];
  readonly brokers?: string;
  readonly peers: string;
}

interface Times {
  readonly sinceS: number;
  readonly untilS: number;
}

/** Refuses options that do not go together. */
function checkOptions(values: Values, files: readonly string[]): Result {
  const { config, set, output, text, json, topic, brokers, peers } = values;
  if (text && json) return refusal('--text and --json exclude each other');
  if (output !== undefined && (text || json))
    return refusal('--output is for the page: redirect --text and --json');
  if (topic.length > 0 && files.length > 0) return refusal('--topic and files exclude each other');
  if (topic.length === 0 && (config ?? set ?? brokers) !== undefined)
    return refusal('--config, --set and --brokers belong to --topic');
  if (!/^[1-9]\d{0,6}$/.test(peers)) return refusal(`--peers ${peers} is no number from 1 to 9999999`);
  if (topic.length === 0 && files.length === 0 && process.stdin.isTTY)
    return refusal('name a file, a directory or a topic');
  return success(undefined);
}

function readTimes({ since, until }: Values, nowMs: number): Result<Times> {
  const from = since === undefined ? success(Number.NEGATIVE_INFINITY) : readMoment(since, nowMs);
  if (!from.ok) return from;
  const to = until === undefined ? success(Number.POSITIVE_INFINITY) : readMoment(until, nowMs);
  if (!to.ok) return to;
  return from.value < to.value
    ? success({ sinceS: from.value, untilS: to.value })
    : refusal('--since is not before --until');
}

function openFiles(files: readonly string[]): Input[] {
  const program = [process.execPath, ...process.execArgv, process.argv[1] ?? ''];
  if (files.length === 0) return [standardInput(process.stdin)];
  return files.map((file) => {
    if (file === '-') return standardInput(process.stdin);
    const isDirectory = statSync(file, { throwIfNoEntry: false })?.isDirectory() === true;
    return isDirectory ? spoolInput(file) : fileInput(file, program);
  });
}

/** The inputs, or the exit code after the configuration was refused. */
function openTopics({ config, set = [], topic, brokers }: Values, times: Times): Input[] | ExitCode {
  const flags = [
    ...set,
    'sink.kafka.enabled=true',
    ...(brokers === undefined ? [] : [`sink.kafka.brokers=${brokers}`]),
  ];
  const loaded = readConfig({ config: brokers === undefined ? config : (config ?? null), set: flags });
  if (!loaded.ok) return configurationError(loaded);
  const {
    config: { sink },
    secrets,
  } = loaded.value;
  return topic.map((name) =>
    kafkaInput({ settings: sink.kafka, secret: secrets.kafka, topic: name, sinceS: times.sinceS }),
  );
}

const FAILURES = {
  unavailable: EXIT.unavailable,
  not_permitted: EXIT.noPermission,
  damaged: EXIT.data,
  empty: EXIT.data,
  io: EXIT.io,
} as const;

function write(model: ReportModel, values: Values): ExitCode {
  if (values.json) return print(`${JSON.stringify(summaryOf(model), null, 2)}\n`);
  if (values.text) return print(textOf(model));
  const template = readFileSync(join(dirname(process.argv[1] ?? '.'), TEMPLATE), 'utf8');
  const page = pageOf(template, model);
  const { output = 'ktc-report.html' } = values;
  if (output === '-') return print(page);
  try {
    writeFileSync(output, page);
  } catch (error) {
    if (!isSystemError(error)) throw error;
    return fail(EXIT.io, `cannot write ${output}: ${error.message}`);
  }
  const { input, account } = model;
  return print(
    `${output}: ${bytes(Buffer.byteLength(page))}, ${counted(input.events, 'event')} of ${counted(account.length, 'host')}\n`,
  );
}

export const reportCommand = createCommand({
  name: 'report',
  help: reportHelpText(),
  options,
  takesWords: true,
  async run(values, files) {
    const nowMs = Date.now();
    const checked = checkOptions(values, files);
    if (!checked.ok) return usageError('report', checked.problem);
    const times = readTimes(values, nowMs);
    if (!times.ok) return usageError('report', times.problem);
    const inputs = values.topic.length > 0 ? openTopics(values, times.value) : openFiles(files);
    if (typeof inputs === 'number') return inputs;
    const report = await makeReport({
      inputs,
      ...times.value,
      maxPeers: Number(values.peers),
      version: VERSION,
      nowMs,
    });
    return report.ok ? write(report.value, values) : fail(FAILURES[report.reason], report.problem);
  },
});
