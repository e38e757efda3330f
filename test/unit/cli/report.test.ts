import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { reportCommand } from '../../../src/cli/report.ts';
import { createTestAgent } from '../report/events.ts';
import { runCaptured } from './capture.ts';

const directory = mkdtempSync(join(tmpdir(), 'ktc-report-'));
const file = join(directory, 'events.ndjson');
const agent = createTestAgent({ name: 'web', address: '10.0.0.1' });
writeFileSync(file, `${agent.retransmit(0, '10.0.0.2')}\n${agent.life(60, '10.0.0.2')}\n`);
afterAll(() => rmSync(directory, { recursive: true }));

describe('ktc report', () => {
  it.each([
    [['--text', '--json', file], '--text and --json exclude each other'],
    [['--text', '-o', 'x', file], '--output is for the page'],
    [['--topic', 't', file], '--topic and files exclude each other'],
    [['--brokers', 'k:9092', file], '--config, --set and --brokers belong to --topic'],
    [['--peers', '0', file], '--peers 0 is no number'],
    [['--since', 'soon', file], 'soon is no time'],
    [['--since', '14:00', '--until', '13:00', file], '--since is not before --until'],
  ])('%j is a usage error', async (words, problem) => {
    const { code, stdout, stderr } = await runCaptured(reportCommand, words);
    expect({ code, stdout }).toEqual({ code: 64, stdout: '' });
    expect(stderr).toContain(problem);
  });

  it('tells what it cannot read', async () => {
    expect(await runCaptured(reportCommand, [join(directory, 'none')])).toEqual({
      code: 69,
      stdout: '',
      stderr: `ktc: there is no file ${join(directory, 'none')}\n`,
    });
    expect(await runCaptured(reportCommand, ['--since', '2026-11-25', file])).toEqual({
      code: 65,
      stdout: '',
      stderr: `ktc: ${file}: 2 events from 2026-11-24 14:00:00 to 2026-11-24 14:01:00 UTC, none of them within --since and --until\n`,
    });
    const broken = join(directory, 'broken.gz');
    writeFileSync(broken, Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3]));
    expect(await runCaptured(reportCommand, [broken])).toMatchObject({ code: 65, stdout: '' });
  });

  it('prints headlines and tables as text and as JSON', async () => {
    const text = await runCaptured(reportCommand, ['--text', file]);
    expect(text).toMatchObject({ code: 0, stderr: '' });
    expect(text.stdout).toContain('1 segment was sent again');
    const json = await runCaptured(reportCommand, ['--json', file]);
    expect(JSON.parse(json.stdout)).toMatchObject({
      schema_version: 1,
      input: { events: 2 },
      headlines: [{ id: 'retransmits' }, { id: 'kinds' }, { id: 'missing' }],
      peers: [{ address: '10.0.0.2', retransmits: 1, closed: 1 }],
    });
  });
});
