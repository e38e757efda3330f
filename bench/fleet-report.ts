/** `ktc report` of a million events of a made fleet: how long it takes, its memory, and the page in a browser. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { KTC } from '../test/support/agent.ts';
import { openPage, startBrowser, whyNoBrowser } from '../test/support/browser.ts';
import { createFleet } from '../test/support/fleet-truth/fleet.ts';
import { memoryOf } from '../test/support/memory.ts';
import { type Bench, figure, median, spread } from './report.ts';

const POLL_MS = 20;
const MIB = 1024 * 1024;

/** Only reads and parses: what any program in Node.js has to do at least. */
const FLOOR = `
const lines = require('node:readline').createInterface({ input: require('node:fs').createReadStream(process.argv[1]) });
lines.on('line', (line) => JSON.parse(line));`;

interface Cost {
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly mib: number;
}

/** Until the command has ended; CPU and memory as they were a moment before. */
async function measure(command: string, words: readonly string[]): Promise<Cost> {
  const began = performance.now();
  const child = spawn(command, words, { stdio: 'ignore' });
  const ended = once(child, 'exit').then(([code]) => {
    if (code !== 0) throw new Error(`${command} ${words.join(' ')} ended with ${code}`);
  });
  let seen = { cpuSeconds: 0, mib: 0 };
  while (child.exitCode === null) {
    seen = costOf(child.pid) ?? seen;
    await delay(POLL_MS);
  }
  await ended;
  return { seconds: (performance.now() - began) / 1000, ...seen };
}

/** Null when the process has just ended. */
function costOf(pid: number | undefined): { cpuSeconds: number; mib: number } | null {
  try {
    const mib = memoryOf(pid ?? 0, 'VmHWM') / MIB;
    const [user, system] =
      readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ').slice(11, 13).map(Number) ?? [];
    return Number.isNaN(mib) ? null : { cpuSeconds: ((user ?? 0) + (system ?? 0)) / 100, mib };
  } catch {
    return null;
  }
}

/** From the request for the page to everything being drawn, ms. */
async function measurePage(path: string, runs: number): Promise<number[]> {
  const browser = await startBrowser();
  const times: number[] = [];
  for (let run = 0; run < runs; run++) {
    const began = performance.now();
    const { page, faults } = await openPage(browser, path);
    times.push(performance.now() - began);
    if (faults.length > 0) throw new Error(faults.join('; '));
    await page.close();
  }
  await browser.close();
  return times;
}

export const fleetReport: Bench = async (quick) => {
  const events = quick ? 100_000 : 1_000_000;
  const runs = quick ? 1 : 3;
  const directory = mkdtempSync(join(tmpdir(), 'ktc-report-bench-'));
  try {
    const input = join(directory, 'events.ndjson');
    const page = join(directory, 'report.html');
    let lines = 0;
    const write = function* () {
      for (const { event } of createFleet({ events }).deliveries()) {
        lines++;
        yield `${JSON.stringify(event)}\n`;
      }
    };
    await pipeline(Readable.from(write()), createWriteStream(input));
    const reports: Cost[] = [];
    const floors: Cost[] = [];
    for (let run = 0; run < runs; run++) {
      reports.push(await measure(KTC, ['report', '-o', page, input]));
      floors.push(await measure(process.execPath, ['-e', FLOOR, input]));
    }
    const pageMs = whyNoBrowser() === null ? await measurePage(page, runs) : [];
    const pageMib = statSync(page).size / MIB;
    const million = (costs: readonly Cost[], of: (cost: Cost) => number) =>
      spread(costs.map((cost) => (of(cost) * 1e6) / lines));
    const row = (name: string, costs: readonly Cost[]) => [
      ...[name, million(costs, ({ seconds }) => seconds), million(costs, ({ cpuSeconds }) => cpuSeconds)],
      spread(costs.map(({ mib }) => mib)),
    ];
    const perMillion = median(reports.map(({ seconds }) => (seconds * 1e6) / lines));
    return {
      tables: [
        {
          title: 'A report of a fleet',
          script: 'bench/fleet-report.ts',
          columns: ['program', 's per million events', 'CPU s per million events', 'MiB'],
          rows: [row('ktc report', reports), row('Node.js that only parses each line', floors)],
          notes: [
            `${lines.toLocaleString('en')} events of 200 hosts, ${figure(statSync(input).size / lines)} bytes each.`,
            pageMs.length === 0
              ? `The page has ${figure(pageMib)} MiB.`
              : `The page has ${figure(pageMib)} MiB and is drawn ${spread(pageMs)} ms after it was asked for, in Chromium.`,
          ],
        },
      ],
      bars: [
        { what: 'ktc report, a million events', value: perMillion, limit: 10, unit: 's' },
        { what: 'ktc report, memory', value: median(reports.map(({ mib }) => mib)), limit: 300, unit: 'MiB' },
        { what: 'page of ktc report', value: pageMib, limit: 3, unit: 'MiB' },
        ...(pageMs.length === 0
          ? []
          : [{ what: 'page of ktc report, drawn after', value: median(pageMs), limit: 1000, unit: 'ms' }]),
      ],
    };
  } finally {
    rmSync(directory, { recursive: true });
  }
};
