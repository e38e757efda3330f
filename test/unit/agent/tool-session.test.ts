/** Sessions on recordings: the whole way from pages to lines, without root. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { tellsAll, toolSession } from '../../../src/agent/tool-session.ts';
import { toolConfig } from '../../../src/cli/tool.ts';
import type { TcpEvent } from '../../../src/event/tcp-event.ts';
import { probesOf } from '../../../src/tool/filter.ts';
import { createPrinter } from '../../../src/tool/printer.ts';
import { TOOL_NAMES, TOOLS, type ToolName } from '../../../src/tool/tool.ts';
import { createEventValidator } from '../../support/schema.ts';
import { choiceOf } from '../tool/drafts.ts';

const ROOT = join(import.meta.dirname, '../../..');
const RECORDING = join(ROOT, 'test/recordings/module-6.1.ktcrec');

/** A stream that takes `lines` lines and then fails as a pipe does whose reader has ended. */
function reader(lines = Number.POSITIVE_INFINITY, code = 'EPIPE'): { stream: Writable; text: () => string } {
  let text = '';
  const stream = new Writable({
    write(chunk: Buffer, _, done) {
      if (text.split('\n').length > lines) return done(Object.assign(new Error(code), { code }));
      text += chunk.toString();
      done();
    },
  });
  return { stream, text: () => text };
}

async function run(tool: ToolName, values: Record<string, string | boolean>, out = reader()) {
  const choice = choiceOf(tool, { from: RECORDING, ...values });
  const said: string[] = [];
  let whole = false;
  const result = toolConfig(tool, choice, probesOf(TOOLS[tool], choice));
  if (!result.ok) throw new Error('the configuration of a tool is wrong');
  const end = await toolSession({
    config: result.value.config,
    events: new Set([TOOLS[tool].event]),
    seconds: choice.seconds,
    staleInstances: /^never-(\d+)$/,
    stdout: out.stream,
    say: (line) => said.push(line),
    view(source, facts) {
      whole = tellsAll(source);
      return createPrinter(TOOLS[tool], choice, facts);
    },
  });
  return { end, said, whole, lines: out.text().trimEnd().split('\n') };
}

describe('a tool on a recording of tcp_trace.ko', () => {
  it.each(TOOL_NAMES)('%s prints as many lines as there are events', async (tool) => {
    const [table, json] = [await run(tool, { 'loss-probes': true }), await run(tool, { json: true })];
    expect(table).toMatchObject({ end: { ok: true, value: null }, said: [], whole: true });
    const events = json.lines.map((line) => JSON.parse(line) as TcpEvent);
    const validate = createEventValidator();
    for (const event of events) {
      expect(validate(event)).toEqual([]);
      expect(event.event).toBe(TOOLS[tool].event);
    }
    const probes = events.filter((event) => 'retransmit_kind' in event && event.retransmit_kind === 'tlp');
    expect(probes).toEqual([]);
    const lossProbes = table.lines.filter((line) => line.includes(' L> ')).length;
    expect(table.lines.length - 1 - lossProbes).toBe(events.length);
    if (tool === 'tcpretrans') expect(lossProbes).toBeGreaterThan(50);
  });

  it('tells who accepts, what was carried, and how long', async () => {
    const { lines } = await run('tcplife', { csv: true });
    const cells = lines.slice(1).map((line) => line.split(','));
    expect(cells.length).toBeGreaterThan(100);
    for (const [pid, comm, , , , , , sent, received, ms] of cells) {
      expect(pid).toMatch(/^\d+$/);
      expect(comm).not.toBe('');
      expect(sent).toMatch(/^\d+$/);
      expect(received).toMatch(/^\d+$/);
      expect(ms).toMatch(/^\d+\.\d\d$/);
    }
  });

  it('ends quietly when nobody reads any more', async () => {
    expect(await run('tcpstates', {}, reader(3))).toMatchObject({ end: { ok: true, value: null } });
  });

  it('ends with the reason when the output cannot be written', async () => {
    const { end } = await run('tcpstates', {}, reader(3, 'ENOSPC'));
    expect(end).toEqual({ ok: false, reason: 'io', problem: 'standard output: ENOSPC' });
  });

  it('says what is wrong with a recording, after what can be read of it', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'ktc-tool-'));
    const torn = join(directory, 'torn.ktcrec');
    const whole = readFileSync(RECORDING);
    writeFileSync(torn, whole.subarray(0, whole.length / 2));
    const { end, lines } = await run('tcpstates', { from: torn });
    expect(end).toMatchObject({ ok: false, reason: 'damaged', problem: expect.stringContaining(torn) });
    expect(lines.length).toBeGreaterThan(100);
    rmSync(directory, { recursive: true });
  });
});

describe('the launchers', () => {
  const directory = join(ROOT, 'tools');
  const launchers = TOOL_NAMES.map((name) => join(directory, name));

  it('are there for every tool, alike, and executable', () => {
    const texts = launchers.map((path) => readFileSync(path, 'utf8'));
    expect(new Set(texts).size).toBe(1);
    // Of the three bits, git keeps this one; who else may execute them is up to the umask of the checkout.
    for (const path of launchers) expect(statSync(path).mode & 0o100).toBe(0o100);
    const others = readdirSync(directory).filter((name) => !name.endsWith('_example.txt'));
    expect(others.sort()).toEqual([...TOOL_NAMES]);
  });

  it.skipIf(!existsSync(join(ROOT, 'bin/ktc')))('run the tool that they are named as', () => {
    for (const [index, path] of launchers.entries()) {
      const { stdout, status } = spawnSync(path, ['--help'], { encoding: 'utf8', cwd: tmpdir() });
      expect({ status, start: stdout.split('\n')[0] }).toMatchObject({
        status: 0,
        start: expect.stringContaining(`ktc ${TOOL_NAMES[index]}`),
      });
    }
  });
});
