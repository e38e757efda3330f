/** The questions of query/clickhouse, asked of the made fleet: as its tests, the bench and the answers in the files do. */
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { FleetEvent } from '../fleet-truth/event.ts';
import { createFleet, type Fleet, type FleetOptions } from '../fleet-truth/fleet.ts';
import { hostAt, PLANTED } from '../fleet-truth/plan.ts';
import type { Engine } from './engine.ts';
import { CLICKHOUSE, type ClickHouse, type Parameters } from './http.ts';

const FOLDER = join(CLICKHOUSE, 'questions');
const LINES_PER_WRITE = 5000;

export interface Question {
  /** `07-connect-latency` */
  readonly name: string;
  readonly file: string;
  readonly sql: string;
}

export function questions(): Question[] {
  return readdirSync(FOLDER)
    .sort()
    .map((name) => {
      const file = join(FOLDER, name);
      return { name: name.replace('.sql', ''), file, sql: readFileSync(file, 'utf8') };
    });
}

/** Whether the made fleet has an answer: its lines are all valid, and what came twice depends on merges. */
export const isOfFleet = ({ name }: Question): boolean => !['31-rejected-lines', '32-repeats'].includes(name);

/** As ClickHouse reads a DateTime64 in UTC. */
export const clickhouseTime = (ms: number): string =>
  new Date(ms).toISOString().replace('T', ' ').replace('Z', '');

const firstConnectOf = (host: string, { events }: LoadedFleet): FleetEvent | undefined =>
  events.find((event) => event.host === host && event.event === 'tcp_connect');

/** The parameters of a question, as an analyst of the made fleet would choose them. */
export function parametersOf({ name, sql }: Question, fleet: LoadedFleet): Parameters {
  const { badRackPair, deploy, reusedAddress } = PLANTED;
  const connect = firstConnectOf(hostAt(PLANTED.shortLived.hostIndex).name, fleet);
  const minute = (count: number): string => clickhouseTime(fleet.startMs + count * 60_000);
  const all: Parameters = {
    from: minute(0),
    // What is rejected is known by the time of its receipt.
    to: name === '31-rejected-lines' ? '2099-01-01 00:00:00' : clickhouseTime(fleet.endMs),
    min_segments: '1000',
    max_ms: '10',
    min_age_s: '60',
    silent_s: '300',
    service: 'db',
    moment: minute(name === '15-before-and-after' ? badRackPair.fromMinute : deploy.minute),
    rack_a: badRackPair.from,
    rack_b: badRackPair.to,
    address: reusedAddress.address,
    host: hostAt(name === '21-missing-events' ? PLANTED.removed[2].hostIndex : PLANTED.shortLived.hostIndex)
      .name,
    connection_id: connect?.connection_id ?? '',
    community_id: connect?.community_id ?? '',
    remote_host: hostAt(8).name,
  };
  return thoseOf(sql, all);
}

/** Of all parameters, those that a statement has. */
export function thoseOf(sql: string, all: Parameters): Parameters {
  const names = [...sql.matchAll(/\{(\w+):/g)].map(([, parameter = '']) => parameter);
  return Object.fromEntries(names.map((parameter) => [parameter, all[parameter] ?? '']));
}

/** The first events of the made fleet, each once. */
export function firstEvents(count: number, startMs: number): FleetEvent[] {
  const events: FleetEvent[] = [];
  for (const { event, isRepeat } of createFleet({ events: 60_000, startMs }).deliveries()) {
    if (!isRepeat) events.push(event);
    if (events.length === count) break;
  }
  return events;
}

/** Sums and names are of what is there now, not of a minute ago. */
export async function refreshSums(engine: ClickHouse, database: string): Promise<void> {
  for (const view of ['peer_traffic_refresh', 'service_traffic_refresh']) {
    await engine.query(`SYSTEM REFRESH VIEW ${database}.${view}`);
    await engine.query(`SYSTEM WAIT VIEW ${database}.${view}`);
  }
  await engine.query(`SYSTEM RELOAD DICTIONARY ${database}.peers`);
}

export interface LoadedFleet extends Fleet {
  /** What was delivered, each event once. */
  readonly events: readonly FleetEvent[];
}

/**
 * Makes the fleet and loads it into `database`, in parts of some hundred megabytes. `keep` off saves the memory of the events
 * where nobody computes truth from them.
 */
export async function loadFleet(
  engine: Engine,
  options: FleetOptions,
  { keep = true, database = 'ktc' } = {},
): Promise<LoadedFleet> {
  const fleet = createFleet(options);
  const events: FleetEvent[] = [];
  const path = join(engine.directory, 'fleet.ndjson');
  const partBytes = 400 * 2 ** 20;
  let file = await open(path, 'w');
  let written = 0;
  let lines: string[] = [];
  const write = async (): Promise<void> => {
    const { bytesWritten } = await file.write(`${lines.join('\n')}\n`);
    written += bytesWritten;
    lines = [];
  };
  const load = async (): Promise<void> => {
    await file.close();
    await engine.load(path, database);
  };
  for (const { event, isRepeat } of fleet.deliveries()) {
    if (keep && !isRepeat) events.push(event);
    lines.push(JSON.stringify(event));
    if (lines.length >= LINES_PER_WRITE) await write();
    if (written > partBytes) {
      await load();
      file = await open(path, 'w');
      written = 0;
    }
  }
  if (lines.length > 0) await write();
  await load();
  rmSync(path);
  await refreshSums(engine, database);
  return { ...fleet, events };
}

/** Counts the events that the bitmaps of a database have seen, host_status among them. */
export const seenIn = (database: string): string =>
  `SELECT sum(n) FROM (SELECT groupBitmapMerge(ordinals) AS n FROM ${database}.seen GROUP BY host, boot_id, session, cpu)`;

/** Counts the different events of a database, host_status among them. */
export const differentIn = (database: string): string =>
  `SELECT (SELECT count() FROM ${database}.events FINAL) + (SELECT count() FROM ${database}.host_status FINAL)`;
