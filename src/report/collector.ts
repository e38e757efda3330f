/**
 * Reads events and decides which count. Memory does not grow with their number: cubes have a limit, names have a limit,
 * and of the events themselves only one bit each is kept, to drop repeated ones.
 */
import { type Account, createAccount } from './account.ts';
import { type Cubes, countEvent, createCubes, type Origin } from './counts.ts';
import { type Fields, fieldsOf, numbersOf, textOf, textsOf } from './fields.ts';
import { createCounterGrowth } from './growth.ts';
import { createOwners, type Owners } from './owners.ts';

export interface LineCounts {
  readonly lines: number;
  readonly events: number;
  readonly duplicates: number;
  readonly malformed: number;
  readonly outside: number;
  readonly statuses: number;
}

/** The first and the last time, seconds since 1970; Infinity and -Infinity of nothing. */
interface Extent {
  firstS: number;
  lastS: number;
}

const extentOfNothing = (): Extent => ({
  firstS: Number.POSITIVE_INFINITY,
  lastS: Number.NEGATIVE_INFINITY,
});

function extend(extent: Extent, second: number): void {
  extent.firstS = Math.min(extent.firstS, second);
  extent.lastS = Math.max(extent.lastS, second);
}

/** What was collected; build.ts makes the model of it. */
export interface Collected {
  readonly counts: LineCounts;
  /** Events by host. */
  readonly wrongClocks: ReadonlyMap<string, number>;
  /** Of the events that are counted. */
  readonly time: Extent;
  /** Of those that are not, because they are outside of --since and --until. */
  readonly outside: Extent;
  readonly cubes: Cubes;
  readonly owners: Owners;
  readonly account: Account;
}

export interface CollectorOptions {
  /** Events outside are only looked at for the account; seconds since 1970. */
  readonly sinceS: number;
  readonly untilS: number;
  /** Now, seconds since 1970: a clock that is a day ahead is wrong. */
  readonly nowS: number;
}

export interface Collector {
  /** Takes one line of NDJSON, without its end. */
  take(line: string): void;
  readonly collected: Collected;
}

/** The first second of 2020: no agent is older. */
const OLDEST_S = 1_577_836_800;
const DAY_S = 86_400;

export function createCollector({ sinceS, untilS, nowS }: CollectorOptions): Collector {
  const counts = { lines: 0, events: 0, duplicates: 0, malformed: 0, outside: 0, statuses: 0 };
  const wrongClocks = new Map<string, number>();
  const [time, outside] = [extentOfNothing(), extentOfNothing()];
  const cubes = createCubes();
  const { origins } = cubes;
  const owners = createOwners();
  const account = createAccount();
  const growth = createCounterGrowth();
  const secondOf = createSecondReader();
  const isInside = (second: number) => second >= sinceS && second < untilS;

  function takeStatus(eventId: string, { fields, second, host }: Origin): void {
    counts.statuses++;
    owners.claim(host, textsOf(fields['addresses']), second);
    account.noteStatus(host, eventId, {
      second,
      ledger: numbersOf(fields['ledger']),
      ordinals: numbersOf(fields['ordinals']),
      agentVersion: textOf(fields['agent_version']),
      configHash: textOf(fields['config_hash']),
      sourceKind: textOf(fields['source_kind']),
    });
    const grown = growth.note(host, second, fields);
    if (!isInside(second)) return;
    for (const [measure, value] of grown) cubes.hosts.add(host, measure, second, value);
  }

  function takeEvent(event: string, eventId: string, fields: Fields, second: number): void {
    const { host, place } = origins.placeOf(fields);
    const isNew = account.note(host, eventId);
    if (isNew !== true) {
      counts[isNew === null ? 'malformed' : 'duplicates']++;
      return;
    }
    if (second < OLDEST_S || second > nowS + DAY_S) {
      const name = origins.nameOf(host);
      wrongClocks.set(name, (wrongClocks.get(name) ?? 0) + 1);
      return;
    }
    account.hear(host, second);
    const origin = { fields, second, host, place };
    if (event === 'host_status') takeStatus(eventId, origin);
    if (!isInside(second)) {
      counts.outside++;
      extend(outside, second);
      return;
    }
    counts.events++;
    extend(time, second);
    if (event !== 'host_status') countEvent(cubes, event, origin);
  }

  return {
    take(line) {
      counts.lines++;
      const fields = parse(line);
      const event = textOf(fields?.['event']);
      const eventId = textOf(fields?.['event_id']);
      const second = secondOf(textOf(fields?.['timestamp']) ?? '');
      if (fields === null || event === null || eventId === null || Number.isNaN(second)) counts.malformed++;
      else takeEvent(event, eventId, fields, second);
    },
    collected: { counts, wrongClocks, time, outside, cubes, owners, account },
  };
}

function parse(line: string): Fields | null {
  try {
    return fieldsOf(JSON.parse(line));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return null;
  }
}

/** Seconds since 1970 of RFC 3339 text; NaN for any other. Consecutive events have mostly the same second. */
function createSecondReader(): (timestamp: string) => number {
  let lastText = '';
  let lastSecond = Number.NaN;
  return (timestamp) => {
    const text = timestamp.slice(0, 19);
    if (text === lastText) return lastSecond;
    lastText = text;
    const isWhole = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}$/.test(text) && timestamp.endsWith('Z');
    lastSecond = isWhole ? Date.parse(`${text}Z`) / 1000 : Number.NaN;
    return lastSecond;
  };
}
