/** The alert rules of query/prometheus and the expressions of Grafana's dashboards, in a real Prometheus about a real agent. */
import { type ChildProcess, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DASHBOARDS } from '../../query/grafana/source/dashboards.ts';
import { type RunningAgent, startAgent, whyNoAgent } from '../support/agent.ts';
import { endProgram, startProgram } from '../support/program.ts';
import { freePorts, until } from '../support/wait.ts';

const ROOT = join(import.meta.dirname, '../../query/prometheus');
const RULES = join(ROOT, 'ktc.rules.yml');
const isInstalled = spawnSync('which', ['promtool', 'prometheus']).status === 0;
const missing = isInstalled
  ? whyNoAgent()
  : 'prometheus is not installed: run scripts/install-test-dependencies.sh';
if (missing) console.warn(`skipped: alert rules in Prometheus: ${missing}`);

const promtool = (...words: string[]) => {
  const { status, stdout, stderr } = spawnSync('promtool', words, { cwd: ROOT, encoding: 'utf8' });
  return { status, output: stdout + stderr };
};

describe.skipIf(!isInstalled)('promtool', () => {
  test('finds no fault in the rules', () => {
    expect(promtool('check', 'rules', '--lint=all', '--lint-fatal', RULES)).toMatchObject({ status: 0 });
  });

  test('sees each rule fire when it should, and none when nothing is wrong', () => {
    expect(promtool('test', 'rules', 'ktc.rules.test.yml')).toMatchObject({ status: 0 });
  });
});

interface Rule {
  readonly name: string;
  readonly health: string;
  readonly state: string;
}

interface Result {
  readonly status: string;
  readonly error?: string;
  readonly data: { readonly result: readonly { readonly metric: Readonly<Record<string, string>> }[] };
}

describe.skipIf(missing)('a Prometheus that scrapes an agent', () => {
  const directory = mkdtempSync(join(tmpdir(), 'ktc-prometheus-'));
  let agent: RunningAgent;
  let prometheus: ChildProcess | null = null;
  let url = '';

  const query = async (expression: string): Promise<Result> =>
    (await (await fetch(`${url}/api/v1/query?query=${encodeURIComponent(expression)}`)).json()) as Result;
  const count = async (expression: string): Promise<number> => (await query(expression)).data.result.length;

  beforeAll(async () => {
    const spool = join(directory, 'spool');
    mkdirSync(spool, { mode: 0o700 });
    agent = await startAgent({
      config: {
        sink: { file: { enabled: true, path: join(directory, 'events.ndjson') } },
        // So that it has something to deliver, whatever happens on this host.
        host_status: { interval_s: 1 },
        spool: { enabled: true, directory: spool },
      },
    });
    const target = /"address":"([\d.]+)","port":(\d+)/.exec(agent.log())?.slice(1).join(':');
    const [port = 0] = await freePorts(1);
    url = `http://127.0.0.1:${port}`;
    const file = join(directory, 'prometheus.yml');
    const configuration = {
      global: { scrape_interval: '1s', evaluation_interval: '1s' },
      rule_files: [RULES],
      scrape_configs: [{ job_name: 'ktc', static_configs: [{ targets: [target] }] }],
    };
    // JSON is YAML as well.
    writeFileSync(file, JSON.stringify(configuration));
    const where = [`--storage.tsdb.path=${directory}/data`, `--web.listen-address=127.0.0.1:${port}`];
    prometheus = startProgram({
      words: ['prometheus', `--config.file=${file}`, ...where],
      logFile: join(directory, 'log'),
    });
    const isMeasured = 'rate(ktc_delivery_latency_seconds_count[30s]) > 0';
    await until(
      async () => (await count(isMeasured).catch(() => 0)) === 1,
      'Prometheus to have seen deliveries of the agent',
    );
  });
  afterAll(async () => {
    await endProgram(prometheus, 'SIGKILL');
    await agent?.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  test('promtool finds no fault in the format of what the agent serves', async () => {
    const { status, stderr } = spawnSync('promtool', ['check', 'metrics'], {
      input: (await agent.get('/metrics')).body,
      encoding: 'utf8',
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });

  test('evaluates every rule, and none fires about a healthy agent', async () => {
    const rulesNow = async (): Promise<readonly Rule[]> => {
      const answer = (await (await fetch(`${url}/api/v1/rules`)).json()) as {
        data: { groups: { rules: Rule[] }[] };
      };
      return answer.data.groups.flatMap(({ rules }) => rules);
    };
    const isEvaluated = async () => (await rulesNow()).every(({ health }) => health !== 'unknown');
    await until(isEvaluated, 'Prometheus to have evaluated the rules');
    const rules = await rulesNow();
    expect(rules.length).toBe(10);
    for (const { name, health, state } of rules)
      expect({ name, health, state }).toEqual({ name, health: 'ok', state: 'inactive' });
  });

  test('every metric of a rule is there', async () => {
    const names = [
      'ktc_lost_total',
      'ktc_sink_state',
      'ktc_spool_bytes',
      'ktc_spool_max_bytes',
      'ktc_spool_failing',
    ];
    const others = [
      'ktc_source_open',
      'ktc_ledger_imbalances',
      'ktc_sink_events_queued',
      'ktc_sink_events_spooled',
    ];
    for (const name of [...names, ...others]) expect(await count(name), name).toBeGreaterThan(0);
  });

  const expressions = DASHBOARDS.flatMap(({ panels }) => panels ?? []).flatMap((panel) =>
    'targets' in panel
      ? (panel.targets ?? []).flatMap((target) =>
          'expr' in target ? [[panel.title ?? '', String(target.expr)] as const] : [],
        )
      : [],
  );
  /** About a healthy agent they have nothing to say. */
  const isSilent = (title: string): boolean =>
    ['Lost, dropped, rejected', 'Sinks that do not deliver'].includes(title);

  test('there are expressions in the dashboards', () => expect(expressions.length).toBe(8));

  test.each(expressions)('the panel “%s” has an answer', async (title, expression) => {
    const asked = expression
      .replaceAll('$__rate_interval', '30s')
      .replaceAll('$job', '.*')
      .replaceAll('$instance', '.*');
    const { status, error, data } = await query(asked);
    expect({ status, error }).toEqual({ status: 'success', error: undefined });
    if (isSilent(title)) expect(data.result).toEqual([]);
    else expect(data.result.length).toBeGreaterThan(0);
  });
});
