/** The agent gives root up, and does all of its work without it. */
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Finding } from '../../src/agent/check/finding.ts';
import type { KtcEvent, TcpEvent } from '../../src/event/tcp-event.ts';
import { imbalances, type Ledger } from '../../src/ledger/ledger.ts';
import { unicastAddresses } from '../../src/source/host/addresses.ts';
import { ACCOUNT, withAccount } from '../support/accounts.ts';
import { KTC, type RunningAgent, startAgent, whyNoAgent } from '../support/agent.ts';
import { makeCertificates } from '../support/certificates.ts';
import { keepersOf } from '../support/children.ts';
import { INSTANCES } from '../support/tracefs.ts';
import { DEADLINE_MS, until } from '../support/wait.ts';

const missing = whyNoAgent();
if (missing) console.warn(`skipped: giving root up: ${missing}`);

const CONNECTIONS = 40;

/** An instance that somebody has open stays. */
function removeIfFree(path: string): void {
  try {
    rmdirSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EBUSY') throw error;
  }
}

describe.skipIf(missing)('an agent with process.user', () => {
  let directory = '';
  let prefix: string[] = [];
  let events = '';
  let server: Server;
  let port = 0;
  const running = new Set<RunningAgent>();

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'ktc-privileges-'));
    chmodSync(directory, 0o755);
    prefix = withAccount(directory);
    const log = join(directory, 'log');
    mkdirSync(log, { mode: 0o750 });
    chownSync(log, ACCOUNT.uid, ACCOUNT.gid);
    events = join(log, 'events.ndjson');
    server = createServer((socket) => socket.end());
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const address = server.address();
    port = typeof address === 'object' && address !== null ? address.port : 0;
  });
  afterEach(async () => {
    for (const agent of running) await agent.stop('SIGKILL');
    running.clear();
    // A keeper outlives its agent for a moment.
    const left = () => readdirSync(INSTANCES).filter((name) => name.startsWith(nameOf('')));
    await until(() => {
      for (const name of left()) removeIfFree(`${INSTANCES}/${name}`);
      return left().length === 0;
    }, 'the instances to be removed');
  });
  afterAll(() => {
    server.close();
    rmSync(directory, { recursive: true });
  });

  const nameOf = (what: string) => `ktc-drop-${process.pid}-${what}`;

  async function start(what: string, more: object = {}): Promise<RunningAgent> {
    const filter = `sport == ${port} || dport == ${port}`;
    const agent = await startAgent({
      prefix,
      instance: nameOf(what),
      config: {
        source: { kind: 'tracepoints', probes: { tcp_set_state: { filter } } },
        process: { user: ACCOUNT.user },
        sink: { file: { enabled: true, path: events } },
        ...more,
      },
    });
    running.add(agent);
    return agent;
  }

  async function makeConnections(): Promise<void> {
    for (let made = 0; made < CONNECTIONS; made++)
      await once(connect({ host: '127.0.0.1', port }).resume(), 'close');
  }

  const readEvents = () =>
    readFileSync(events, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as TcpEvent);

  /** Connections one after another, and their events in the file. */
  async function trace(agent: RunningAgent): Promise<TcpEvent[]> {
    rmSync(events, { force: true });
    const ofTcp = ({ read, filtered }: Ledger) => read - (filtered.task ?? 0);
    const before = ofTcp((await agent.status()).ledger);
    await makeConnections();
    await until(async () => {
      const { ledger } = await agent.status();
      return ofTcp(ledger) - before >= CONNECTIONS * 8 && ledger.sinks['file']?.delivered === ledger.emitted;
    }, 'the events to be delivered');
    return readEvents();
  }

  function statusOf(pid: number): Readonly<Record<string, string>> {
    const lines = readFileSync(`/proc/${pid}/status`, 'utf8').split('\n');
    return Object.fromEntries(
      lines.map((line) => line.split(':\t')).map(([name = '', value = '']) => [name, value]),
    );
  }

  function keeperOf(pid: number): number {
    const keepers = keepersOf(pid);
    expect(keepers).toHaveLength(1);
    return keepers[0] ?? 0;
  }

  const isThere = (what: string) => readdirSync(INSTANCES).includes(nameOf(what));
  const isAlive = (pid: number) => readdirSync('/proc').includes(String(pid));
  const modeOf = (path: string) => (statSync(path).mode & 0o7777).toString(8).padStart(4, '0');

  it('still tells what the host says of itself, none of which needs root', async () => {
    rmSync(events, { force: true });
    const agent = await start('host', { host_status: { interval_s: 60 } });
    expect(statusOf(agent.pid)['CapEff']).toBe('0000000000000000');
    expect(await agent.stop()).toBe(0);
    const [status] = (readEvents() as readonly KtcEvent[]).filter((event) => event.event === 'host_status');
    expect(status?.counters['Tcp.RetransSegs']).toBeGreaterThanOrEqual(0);
    expect(status?.counters['TcpExt.TCPTimeouts']).toBeGreaterThanOrEqual(0);
    expect(status?.netns).toBe(statSync('/proc/self/ns/net').ino);
    expect(status?.addresses).toEqual(expect.arrayContaining(unicastAddresses(networkInterfaces())));
    expect(agent.log()).not.toContain('host_status is without');
  });

  it('is that user, with no way back, and delivers what the kernel says', async () => {
    const agent = await start('whole');
    const status = statusOf(agent.pid);
    expect(status).toMatchObject({
      Uid: Array(4).fill(ACCOUNT.uid).join('\t'),
      Gid: Array(4).fill(ACCOUNT.gid).join('\t'),
      CapInh: '0000000000000000',
      CapPrm: '0000000000000000',
      CapEff: '0000000000000000',
      Umask: '0027',
    });
    expect(status['Groups']?.trim().split(' ').map(Number)).toEqual([ACCOUNT.gid, ACCOUNT.supplementary]);

    // The kernel lets nobody but root look into the process, and writes no core file of it.
    expect(statSync(`/proc/${agent.pid}/mem`).uid).toBe(0);
    expect(readFileSync(`/proc/${agent.pid}/limits`, 'utf8')).toMatch(/^Max core file size +0 /m);

    // SIGUSR1 would make Node.js open its inspector.
    agent.process.kill('SIGUSR1');
    const traced = await trace(agent);
    const { stdout: listening } = spawnSync('ss', ['-Hltnp'], { encoding: 'utf8' });
    const own = listening.split('\n').filter((line) => line.includes(`pid=${agent.pid},`));
    expect(own.map((line) => line.split(/\s+/)[3])).toEqual([expect.stringMatching(/^127\.0\.0\.1:\d+$/)]);
    expect(agent.log()).not.toContain('Debugger');

    expect(traced.filter(({ event }) => event === 'tcp_connect')).toHaveLength(CONNECTIONS);
    expect(traced.find(({ event }) => event === 'tcp_connect')).toMatchObject({
      pid: process.pid,
      pid_origin: 'owner',
    });

    expect(await agent.stop()).toBe(0);
    expect(isThere('whole')).toBe(false);
    expect(imbalances(agent.finalLedger())).toEqual([]);
    expect(agent.finalLedger().lost).toEqual({ kernel_overrun: 0, malformed_page: 0 });
    expect(agent.log()).toContain('gave up root');
    expect(agent.log()).not.toContain('"level":"warn"');
    expect([modeOf(events), statSync(events).uid, statSync(events).gid]).toEqual([
      '0640',
      ACCOUNT.uid,
      ACCOUNT.gid,
    ]);
  });

  it('has a keeper, which the signals to the agent do not end', async () => {
    const agent = await start('signals');
    const keeper = keeperOf(agent.pid);
    expect(statusOf(keeper)['Uid']).toBe('0\t0\t0\t0');
    // Its environment is not the agent's, and it holds none of its files.
    expect(readFileSync(`/proc/${keeper}/environ`, 'utf8').split('\0').filter(Boolean)).toEqual([
      expect.stringMatching(/^PATH=/),
      'LC_ALL=C',
    ]);
    // As systemd stops a unit: everybody in it, at the same time.
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT'] as const) process.kill(keeper, signal);
    expect(await agent.stop('SIGINT')).toBe(0);
    expect(isThere('signals')).toBe(false);
    expect(isAlive(keeper)).toBe(false);
  });

  it('that is killed leaves its instance and its records to the next, and no keeper', async () => {
    const first = await start('killed');
    const keeper = keeperOf(first.pid);
    await trace(first);
    await first.stop('SIGKILL');
    await until(() => !isAlive(keeper), 'the keeper to end');
    expect(isThere('killed')).toBe(true);
    await makeConnections();
    rmSync(events, { force: true });
    const second = await start('killed');
    await until(
      async () => ((await second.status()).ledger.sinks['file']?.delivered ?? 0) > CONNECTIONS * 8,
      'the records',
    );
    expect(await second.stop()).toBe(0);
    expect(isThere('killed')).toBe(false);
    const traced = readEvents();
    expect(traced.filter(({ event }) => event === 'tcp_connect')).toHaveLength(CONNECTIONS);
  });

  it('whose keeper is killed says that the instance stays, and the next start removes it', async () => {
    const first = await start('orphan');
    process.kill(keeperOf(first.pid), 'SIGKILL');
    expect(await first.stop()).toBe(0);
    expect(isThere('orphan')).toBe(true);
    expect(first.log()).toContain(
      `cannot remove the ftrace instance ${INSTANCES}/${nameOf('orphan')}: its keeper was ended by SIGKILL; the next start takes it over`,
    );
    expect(readFileSync(`${INSTANCES}/${nameOf('orphan')}/events/enable`, 'utf8')).toBe('0\n');
    const second = await start('orphan');
    expect(await second.stop()).toBe(0);
    expect(isThere('orphan')).toBe(false);
  });

  it('puts its instance back when others have changed or would remove it, and counts that', async () => {
    const agent = await start('changed');
    const path = `${INSTANCES}/${nameOf('changed')}`;
    expect(() => rmdirSync(path)).toThrow('EBUSY');
    const event = `${path}/events/sock/inet_sock_set_state`;
    const settings = [
      'tracing_on',
      'trace_clock',
      'events/sock/inet_sock_set_state/filter',
      'events/sock/inet_sock_set_state/enable',
    ];
    const look = () => settings.map((file) => readFileSync(`${path}/${file}`, 'utf8'));
    const before = look();
    writeFileSync(`${path}/tracing_on`, '0');
    writeFileSync(`${path}/trace_clock`, 'local');
    writeFileSync(`${event}/filter`, 'dport == 1');
    writeFileSync(`${path}/events/enable`, '0');
    expect(look()).not.toEqual(before);
    await until(() => JSON.stringify(look()) === JSON.stringify(before), 'the settings to be put back');
    expect(await trace(agent)).not.toHaveLength(0);
    await agent.stop();
    expect(agent.finalLedger().lost['settings_changed']).toBe(1);
    expect(agent.log()).toContain('"detail":"trace_clock, events/sock/inet_sock_set_state/filter, ');
    expect(isThere('changed')).toBe(false);
  });

  it('spools as that user, into files that nobody else can read', async () => {
    const spool = join(directory, 'spool');
    // Of a try that has failed.
    rmSync(spool, { recursive: true, force: true });
    mkdirSync(spool, { mode: 0o700 });
    chownSync(spool, ACCOUNT.uid, ACCOUNT.gid);
    const agent = await start('spool', { spool: { enabled: true, directory: spool, fsync_interval_ms: 10 } });
    expect(await trace(agent)).not.toHaveLength(0);
    await until(() => readdirSync(spool).includes('cursor.file'), 'the cursor to be saved');
    const files = readdirSync(spool).filter((name) => !name.endsWith('.new'));
    expect(files.some((name) => name.endsWith('.open'))).toBe(true);
    for (const name of files) {
      const { uid, gid } = statSync(join(spool, name));
      expect([name, modeOf(join(spool, name)), uid, gid]).toEqual([name, '0600', ACCOUNT.uid, ACCOUNT.gid]);
    }
    expect(await agent.stop()).toBe(0);
    expect(readdirSync(spool)).toEqual(['cursor.file']);
  });

  function run(command: string, more: object, before: readonly string[] = []) {
    const file = join(directory, `${command}.json`);
    const config = {
      source: { kind: 'tracepoints', instance: nameOf('refused') },
      process: { user: ACCOUNT.user },
      sink: { file: { enabled: true, path: events } },
      telemetry: { http: { port: 0 } },
      log: { level: 'error' },
      ...more,
    };
    writeFileSync(file, JSON.stringify(config));
    const [program = '', ...args] = [...prefix, ...before, KTC, ...command.split(' '), '--config', file];
    const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', timeout: DEADLINE_MS });
    expect(isThere('refused')).toBe(false);
    return { status, stdout, stderr };
  }

  it.each([
    [
      'user',
      { user: 'ktc-nobody-here' },
      'process.user: this host has no user ktc-nobody-here: make it (useradd ',
    ],
    [
      'group',
      { user: ACCOUNT.user, group: 'ktc-none-here' },
      'process.group: this host has no group ktc-none-here: make it (',
    ],
  ])('that names a %s that is not there ends with 78 and one line', (_, process, problem) => {
    const { status, stderr } = run('run', { process });
    expect([status, stderr.split('\n').length]).toEqual([78, 2]);
    expect(stderr).toContain(`ktc: ${problem}`);
  });

  it('does not go on while anything of root is left', () => {
    const { status, stderr } = run('run', {}, ['setpriv', '--securebits=+no_setuid_fixup']);
    expect({ status, stderr }).toEqual({
      status: 78,
      stderr: `ktc: became user ${ACCOUNT.user}, but capabilities are left (CapPrm in /proc/self/status): it would not be safe to go on\n`,
    });
  });

  it('says which file the user has to own, before anything is sent', () => {
    const certificates = makeCertificates(directory);
    const tls = {
      enabled: true,
      ca_file: certificates.authority,
      certificate_file: certificates.client.certificate,
      key_file: certificates.client.key,
    };
    chmodSync(certificates.client.key, 0o600);
    const sink = { kafka: { enabled: true, brokers: ['127.0.0.1:1'], tls } };
    expect(run('run', { sink })).toMatchObject({
      status: 78,
      stderr: `ktc: sink.kafka.tls.key_file: user ${ACCOUNT.user} cannot read it, and needs it at each new connection: chown it to ${ACCOUNT.user}\n`,
    });
    chownSync(certificates.client.key, ACCOUNT.uid, ACCOUNT.gid);
    const { stdout } = run('check', { sink });
    expect(stdout).toContain(
      `root opens the source, then ${ACCOUNT.user} (uid ${ACCOUNT.uid}, gid ${ACCOUNT.gid}) goes on`,
    );
    expect(stdout).not.toContain('cannot read it');
  });

  it('is checked as that user', () => {
    const secret = join(directory, 'root-directory');
    mkdirSync(secret, { mode: 0o700, recursive: true });
    const path = join(secret, 'events.ndjson');
    const { status, stdout } = run('check --json', {
      sink: { file: { enabled: true, path } },
      telemetry: { http: { address: '0.0.0.0', port: 0 } },
    });
    const findings = JSON.parse(stdout) as Finding[];
    expect(status).toBe(1);
    expect(findings).toEqual(
      expect.arrayContaining([
        { name: 'reload', verdict: 'ok', detail: 'the user can read what SIGHUP reads again' },
        {
          name: 'sink file',
          verdict: 'failed',
          detail: `cannot write events to ${path}: user ${ACCOUNT.user} may not; as root: chown ${ACCOUNT.user} ${secret}`,
        },
        {
          name: 'telemetry',
          verdict: 'warning',
          detail: expect.stringContaining('can be reached from elsewhere'),
        },
      ]),
    );
  });
});
