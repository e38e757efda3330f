/**
 * Makes the filters of this kernel's events be those of the whole host, as they are before Linux 3.13 and on EL7: what is
 * written into one is in all instances and in the global one, it is there in instances that are made later, and it stays
 * when the instance is gone through which it was written. `withOneFilterForAll` has programs loaded with it.
 */
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const FILTER = /^(.*\/tracing)(?:\/instances\/[^/]+)?\/(events\/\w+\/\w+\/filter)$/;
const INSTANCE = /^(.*\/tracing)\/instances\/[^/]+$/;
/** The systems whose events we use. */
const SYSTEMS = ['sock', 'tcp', 'ktc', 'task'];
const { readFileSync, writeFileSync, mkdirSync } = fs;

function tryTo(write: () => void): void {
  try {
    write();
  } catch {
    // The instance was removed at this moment, or this kernel lacks the event.
  }
}

/** Sets the filter of an event, `<system>/<event>`, for the whole host; '0' is none. */
export function filterForAll(tracing: string, event: string, filter: string): void {
  const instances = fs.readdirSync(`${tracing}/instances`).map((name) => `instances/${name}/`);
  for (const place of ['', ...instances]) {
    tryTo(() => writeFileSync(`${tracing}/${place}events/${event}/filter`, filter));
  }
}

/** The events of our systems that are filtered for the whole host at this moment, `<system>/<event>` each. */
function filteredEvents(tracing: string): { readonly event: string; readonly filter: string }[] {
  return SYSTEMS.filter((system) => fs.existsSync(`${tracing}/events/${system}`))
    .flatMap((system) =>
      fs
        .readdirSync(`${tracing}/events/${system}`, { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map(({ name }) => `${system}/${name}`),
    )
    .map((event) => ({
      event,
      filter: readFileSync(`${tracing}/events/${event}/filter`, 'utf8').trim(),
    }))
    .filter(({ filter }) => filter !== 'none');
}

/** Removes what a program that failed has left in the filters of the whole host. */
export function removeFilters(tracing: string): void {
  for (const { event } of filteredEvents(tracing)) filterForAll(tracing, event, '0');
}

function copyFilters(tracing: string, instance: string): void {
  for (const { event, filter } of filteredEvents(tracing)) {
    writeFileSync(`${instance}/events/${event}/filter`, filter);
  }
}

function install(): void {
  fs.writeFileSync = (path, data, ...rest) => {
    // What the kernel refuses, it refuses here.
    writeFileSync(path, data, ...rest);
    const [, tracing, file] = FILTER.exec(String(path)) ?? [];
    if (tracing === undefined || file === undefined) return;
    filterForAll(tracing, file.replace(/^events\/|\/filter$/g, ''), String(data));
  };
  fs.readFileSync = ((path: fs.PathOrFileDescriptor, ...rest: []) => {
    const [, tracing, file] = FILTER.exec(String(path)) ?? [];
    return readFileSync(tracing === undefined ? path : `${tracing}/${file}`, ...rest);
  }) as typeof fs.readFileSync;
  fs.mkdirSync = ((path: string, options?: fs.MakeDirectoryOptions) => {
    const made = mkdirSync(path, options);
    const [, tracing] = INSTANCE.exec(path) ?? [];
    if (tracing !== undefined) copyFilters(tracing, path);
    return made;
  }) as typeof fs.mkdirSync;
}

const SWITCH = 'ONE_FILTER_FOR_ALL';
if (process.env[SWITCH] !== undefined) install();

/** bin/ktc with one more module for its Node.js: NODE_OPTIONS has no effect on the agent. */
function writeLauncher(directory: string): string {
  const bin = join(import.meta.dirname, '../../bin');
  const launcher = join(directory, 'ktc');
  const loaded = `--no-warnings --import=${fileURLToPath(import.meta.url)}`;
  const text = readFileSync(join(bin, 'ktc'), 'utf8')
    .replace(/^here=.*$/m, `here=${bin}`)
    .replace(/^exec "\$node"/m, (command) => `${command} ${loaded}`);
  writeFileSync(launcher, text, { mode: 0o755 });
  return launcher;
}

/** Every ktc that `start` starts by `startAgent` or `startTool` has it. */
export async function withOneFilterForAll<Started>(start: () => Promise<Started>): Promise<Started> {
  const directory = fs.mkdtempSync(join(tmpdir(), 'ktc-one-filter-'));
  process.env[SWITCH] = '1';
  process.env['TEST_KTC'] = writeLauncher(directory);
  try {
    return await start();
  } finally {
    delete process.env[SWITCH];
    delete process.env['TEST_KTC'];
    fs.rmSync(directory, { recursive: true });
  }
}
