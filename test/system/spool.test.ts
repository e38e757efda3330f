/** `ktc spool` as a person types it, on spools that an agent has left behind. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ACCOUNT, withAccount } from '../support/accounts.ts';
import { asNobody, KTC, whyNoAgent } from '../support/agent.ts';
import { DEADLINE_MS, until } from '../support/wait.ts';

const missing = whyNoAgent();
if (missing) console.warn(`skipped: ktc spool: ${missing}`);

describe.skipIf(missing)('ktc spool', () => {
  const root = mkdtempSync(join(tmpdir(), 'ktc-spool-'));
  chmodSync(root, 0o755);
  afterAll(() => rmSync(root, { recursive: true, force: true }));
  const filled = join(root, 'filled');
  let total = 0;

  const run = (words: readonly string[], before: readonly string[] = []) => runAs([...before, KTC], words);
  const runAs = ([program = '', ...before]: readonly string[], words: readonly string[]) => {
    const args = [...before, 'spool', ...words];
    const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', timeout: DEADLINE_MS });
    return { status, stdout, stderr };
  };

  /** A configuration file whose only sink is not there, or is a file. */
  function configure(name: string, sink: 'gone' | 'file', more: object = {}): string {
    const file = join(root, `${name}.json`);
    const config = {
      spool: { directory: join(root, name) },
      sink: {
        otlp: { enabled: sink === 'gone', endpoint: 'http://127.0.0.1:1' },
        file: { enabled: sink === 'file', path: join(root, name, '../', `${name}.ndjson`) },
      },
      dead_letter: { path: '' },
      shutdown: { timeout_s: 1 },
      telemetry: { http: { enabled: false } },
      log: { level: 'error' },
      ...more,
    };
    writeFileSync(file, JSON.stringify(config));
    return file;
  }

  function copy(name: string): string {
    const directory = join(root, name);
    // Of a try that has failed.
    for (const left of [directory, `${directory}.ndjson`]) rmSync(left, { recursive: true, force: true });
    cpSync(filled, directory, { recursive: true });
    return directory;
  }

  const linesOf = (name: string) =>
    readFileSync(join(root, `${name}.ndjson`), 'utf8')
      .split('\n')
      .slice(0, -1);
  const segments = (directory: string) => readdirSync(directory).filter((name) => name.endsWith('.segment'));

  /** Hits a byte of the second frame's events. */
  function damage(directory: string): { file: string; offset: number } {
    const [file = ''] = segments(directory);
    const bytes = readFileSync(join(directory, file));
    const offset = 16 + 72 + bytes.readUInt32LE(16 + 8);
    bytes[offset + 100] = (bytes[offset + 100] ?? 0) ^ 1;
    writeFileSync(join(directory, file), bytes);
    return { file, offset };
  }

  beforeAll(() => {
    mkdirSync(filled, { mode: 0o700 });
    const config = configure('filled', 'gone');
    const replay = spawnSync(KTC, ['replay', '--config', config, '--set', 'spool.enabled=true'], {
      encoding: 'utf8',
    });
    expect(replay).toMatchObject({ status: 0, stderr: '' });
    const { segments: found } = JSON.parse(run(['inspect', '--json', '--config', config]).stdout) as {
      segments: { events: number }[];
    };
    total = found.reduce((sum, { events }) => sum + events, 0);
    expect(total).toBeGreaterThan(1000);
  });

  it('inspect shows files and sinks, as a table and for programs', () => {
    const config = configure('filled', 'gone');
    const [file = ''] = segments(filled);
    const { status, stdout, stderr } = run(['inspect', '--config', config]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(
      new RegExp(`^${file.replaceAll('.', '\\.')} +sealed +0 +\\d,\\d{3} +\\d,\\d{3} `, 'm'),
    );
    expect(stdout).toMatch(/^otlp +- +\d,\d{3} +missing$/m);
    const facts = JSON.parse(run(['inspect', '--json', '--directory', filled]).stdout) as object;
    expect(facts).toEqual({
      directory: filled,
      segments: [
        {
          ...{ file, state: 'sealed', first: 0, end: total, events: total },
          bytes: statSync(join(filled, file)).size,
          oldest: expect.stringMatching(/^20\d\d-.*Z$/),
        },
      ],
      cursors: [],
    });
  });

  it('verify ends with 0 where everything is whole, and with 65 and the place where it is not', () => {
    const whole = run(['verify', '--directory', filled]);
    expect(whole).toMatchObject({ status: 0, stderr: '' });
    expect(whole.stdout).toMatch(/^1 file, \d+ frames, \d,\d{3} events, .* MiB: whole\n$/);
    const directory = copy('damaged');
    const { file, offset } = damage(directory);
    const { status, stdout } = run(['verify', '--directory', directory]);
    expect(status).toBe(65);
    expect(stdout.split('\n')[0]).toMatch(
      new RegExp(`^${file.replaceAll('.', '\\.')}, offset ${offset}: the CRC of \\d+ events is wrong$`),
    );
    expect(stdout).toContain(': 1 place damaged\n');
  });

  it('drain delivers everything and leaves nothing, without the sink that was configured before too', () => {
    const directory = copy('delivered');
    const { status, stdout, stderr } = run(['drain', '--config', configure('delivered', 'file')]);
    expect({ status, stdout }).toEqual({ status: 0, stdout: '' });
    expect(stderr).toMatch(
      /^file +emitted 0 \+ recovered (\S+) = delivered \1 \+ rejected 0 \+ dropped 0 \+ queued 0 \+ spooled 0 \+ in flight 0\n$/,
    );
    expect(readdirSync(directory)).toEqual(['cursor.file']);
    const ids = linesOf('delivered').map((line) => (JSON.parse(line) as { event_id: string }).event_id);
    expect(new Set(ids).size).toBe(total);
    expect(ids).toHaveLength(total);
  });

  it('drain ends with 65 where events were damaged, and counts them', () => {
    damage(copy('lossy'));
    const { status, stderr } = run(['drain', '--config', configure('lossy', 'file')]);
    expect(status).toBe(65);
    const dropped = Number(/^file +dropped: spool_damaged (\d+)$/m.exec(stderr)?.[1]);
    expect(dropped).toBeGreaterThan(0);
    expect(linesOf('lossy')).toHaveLength(total - dropped);
  });

  it('drain ends with 1 when its time is over, says what is in the way, and leaves the rest', () => {
    const directory = copy('late');
    const { status, stderr } = run(['drain', '--timeout', '2', '--config', configure('late', 'gone')]);
    expect(status).toBe(1);
    expect(stderr).toContain(`ktc: sink otlp: ${total} events are left in the spool: `);
    expect(stderr).toContain('ECONNREFUSED');
    expect(run(['verify', '--directory', directory])).toMatchObject({ status: 0 });
    expect(run(['inspect', '--json', '--directory', directory]).stdout).toContain(`"events": ${total}`);
  });

  it.each<NodeJS.Signals>(['SIGTERM', 'SIGINT'])(
    'drain has the spool to itself until %s ends it in order',
    async (signal) => {
      const directory = copy(`held-${signal}`);
      const config = configure(`held-${signal}`, 'gone');
      const child = spawn(KTC, ['spool', 'drain', '--config', config], {
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      const end = Promise.all([text(child.stderr), once(child, 'close')]);
      const lock = `@ktc-spool-${statSync(directory).dev}-${statSync(directory).ino}\n`;
      await until(() => readFileSync('/proc/net/unix', 'latin1').includes(lock), 'it to have the spool');
      expect(run(['drain', '--config', config]).stderr).toBe(
        `ktc: ${directory} is in use by another agent, which delivers what is in it: stop that one first, or give each its own spool.directory\n`,
      );
      child.kill(signal);
      const [stderr, [code]] = await end;
      expect(code).toBe(1);
      expect(stderr).toContain(`spooled ${total.toLocaleString('en-US')} + in flight 0\n`);
      expect(segments(directory)).toHaveLength(1);
    },
  );

  it('drain as root becomes process.user, whose files stay its own', () => {
    const directory = copy('owned');
    const { uid, gid, user } = ACCOUNT;
    chownSync(directory, uid, gid);
    for (const name of readdirSync(directory)) chownSync(join(directory, name), uid, gid);
    const log = join(root, 'log');
    rmSync(log, { recursive: true, force: true });
    mkdirSync(log, { mode: 0o750 });
    chownSync(log, uid, gid);
    const path = join(log, 'events.ndjson');
    const config = configure('owned', 'file', { process: { user }, sink: { file: { enabled: true, path } } });
    const before = withAccount(root);
    expect(run(['drain', '--config', config], before)).toMatchObject({ status: 0 });
    for (const file of [path, join(directory, 'cursor.file')])
      expect(statSync(file)).toMatchObject({ uid, gid });
    chownSync(directory, 0, 0);
    const refused = run(['drain', '--config', config], before);
    expect(refused.status).toBe(69);
    expect(refused.stderr).toContain(`cannot use the spool directory ${directory}: permission denied`);
  });

  it('tells what is wrong with what it is asked for', () => {
    const words = (...said: string[]) => {
      const { status, stdout, stderr } = run(said);
      expect(stdout).toBe('');
      expect(stderr.split('\n')).toHaveLength(2);
      return [status, stderr] as const;
    };
    expect(words()).toEqual([64, expect.stringContaining('spool needs one of inspect, verify, drain')]);
    expect(words('drain', '--directory', filled)[0]).toBe(64);
    expect(words('verify', '--json')[0]).toBe(64);
    expect(words('inspect', '--timeout', '1')[0]).toBe(64);
    expect(words('drain', '--timeout', 'soon')[0]).toBe(64);
    expect(words('inspect', '--directory', filled, '--set', 'log.level=warn')[0]).toBe(64);
    expect(words('verify', '--directory', join(root, 'none'))).toEqual([
      69,
      `ktc: there is no directory ${join(root, 'none')}: name the spool's with --directory\n`,
    ]);
    expect(words('inspect', '--config', configure('filled', 'gone'), '--set', 'log.level=loud')[0]).toBe(78);
    const nobody = runAs(asNobody(root), ['inspect', '--directory', filled]);
    expect(nobody).toMatchObject({ status: 77, stdout: '' });
    expect(existsSync(join(filled, 'cursor.otlp'))).toBe(false);
  });
});
