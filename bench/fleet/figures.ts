/** What is measured of a fleet, here and elsewhere, and how numbers are written. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { figure } from '../report.ts';

/** What bench/fleet.ts has measured. */
export interface FleetFigures {
  readonly hosts: number;
  readonly lingerMs: number;
  /** While nothing failed: how long, and how many events were acknowledged. */
  readonly seconds: number;
  readonly events: number;
  readonly agentCpuSeconds: number;
  /** Of one agent, beside the program that all of them share. */
  readonly agentBytes: number;
  /** Of all agents to all brokers. */
  readonly connections: number;
  readonly brokerCpuSeconds: number;
  readonly brokerBytesIdle: number;
  readonly brokerBytes: number;
  /** Of one replica on the disk, which is what goes over the network too. */
  readonly logBytesPerEvent: number;
  /** From the start to the end, a killed broker among it. */
  readonly emitted: number;
  readonly missing: number;
  readonly repeated: number;
}

const DOCS = join(import.meta.dirname, '../../docs');

/** A number of another page, which says how it was measured. */
function numberOf(page: string, pattern: RegExp): number {
  const found = pattern.exec(readFileSync(join(DOCS, page), 'utf8'))?.[1];
  if (found === undefined)
    throw new Error(`docs/${page} has no ${pattern}: bench/fleet/figures.ts takes a number from there`);
  return Number(found);
}

export function otherFigures() {
  return {
    rowBytes: numberOf('querying.md', /An event takes (\d+) bytes on disk/),
    rowCpuUs: numberOf('querying.md', /and (\d+) µs of CPU from the\s+line to the table/),
    packageMb: numberOf('packaging.md', /the tarball (\d+) MB/),
  };
}

export const whole = (value: number): string => Math.round(value).toLocaleString('en');
export const hoursOrMinutes = (value: number): string =>
  value < 7200 ? `${whole(value / 60)} min` : `${figure(value / 3600)} h`;
export const bytes = (value: number): string => {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
  const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(value, 1)) / 3));
  return `${figure(value / 1000 ** power)} ${units[power]}`;
};
export const megabits = (bytesPerSecond: number): string => `${figure((bytesPerSecond * 8) / 1e6)} Mbit/s`;
