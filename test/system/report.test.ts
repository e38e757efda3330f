/** The page of `ktc report` in a real browser, of a made fleet of which everything is known. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import type { Browser, Page } from 'puppeteer-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import schema from '../../src/report/summary.schema.json' with { type: 'json' };
import type { Summary } from '../../src/report/summary.ts';
import { KTC } from '../support/agent.ts';
import { type OpenPage, openPage, type PageOptions, startBrowser, whyNoBrowser } from '../support/browser.ts';
import { createFleet, FLEET_START_MS } from '../support/fleet-truth/fleet.ts';
import type { FleetTruth } from '../support/fleet-truth/truth.ts';
import { createTestAgent } from '../unit/report/events.ts';

const missing = whyNoBrowser();
if (missing) console.warn(`skipped: the page of ktc report: ${missing}`);

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const directory = mkdtempSync(join(tmpdir(), 'ktc-report-'));
afterAll(() => rmSync(directory, { recursive: true }));

/** Writes lines, makes the page and the summary of them. */
function reportOf(name: string, lines: readonly string[]): { page: string; summary: Summary } {
  const input = join(directory, `${name}.ndjson`);
  const page = join(directory, `${name}.html`);
  writeFileSync(input, lines.map((line) => `${line}\n`).join(''));
  execFileSync(KTC, ['report', '-o', page, input]);
  const json = execFileSync(KTC, ['report', '--json', input], { encoding: 'utf8', maxBuffer: 1 << 26 });
  return { page, summary: JSON.parse(json) };
}

const sumOf = (counts: Iterable<number>) => [...counts].reduce((sum, count) => sum + count, 0);

describe.skipIf(missing)('the report of a made fleet', () => {
  let browser: Browser;
  let truth: FleetTruth;
  /** Each as it was delivered for the first time. */
  const retransmits: { ms: number; count: number }[] = [];
  let report: { page: string; summary: Summary };

  beforeAll(async () => {
    const fleet = createFleet({ events: 60_000 });
    const lines: string[] = [];
    for (const { event, isRepeat } of fleet.deliveries()) {
      lines.push(JSON.stringify(event));
      const count = event.event === 'tcp_retransmit' ? 1 : (event.retransmits_suppressed ?? 0);
      if (!isRepeat && count > 0) retransmits.push({ ms: Date.parse(event.timestamp), count });
    }
    truth = fleet.truth();
    report = reportOf('fleet', lines);
    browser = await startBrowser();
  });
  afterAll(() => browser?.close());

  /** Opens the page for one test; it must have done nothing wrong by its end. */
  async function withPage(options: PageOptions, use: (page: Page) => Promise<void>): Promise<void> {
    const { page, faults }: OpenPage = await openPage(browser, report.page, options);
    await use(page);
    expect(faults).toEqual([]);
    await page.close();
  }

  const texts = (page: Page, selector: string) =>
    page.$$eval(selector, (found) => found.map((element) => element.textContent ?? ''));
  const cellsOf = (page: Page, section: string, column: number) =>
    texts(page, `#${section} tbody tr > :nth-child(${column})`);

  describe('in its JSON', () => {
    it('is as the schema says', () => {
      const validate = new Ajv2020({
        allErrors: true,
        strict: true,
        allowUnionTypes: true,
        formats: { 'date-time': true },
      }).compile(schema);
      expect(validate(report.summary), JSON.stringify(validate.errors?.slice(0, 3))).toBe(true);
    });

    it('counts what there is, to the unit', () => {
      const { input, total, peers, hosts } = report.summary;
      expect(input).toMatchObject({ events: truth.delivered, duplicates: truth.repeats, malformed: 0 });
      expect(total['retransmits']).toBe(truth.retransmits.total);
      const byHost = hosts
        .map(({ host, retransmits }) => [host, retransmits])
        .filter(([, count]) => count !== 0);
      expect(Object.fromEntries(byHost)).toEqual(truth.retransmits.byHost);
      const byPeer: Record<string, number> = {};
      // An address that two hosts had one after the other has two rows.
      for (const { address, retransmits } of peers)
        if (Number(retransmits) > 0)
          byPeer[String(address)] = (byPeer[String(address)] ?? 0) + Number(retransmits);
      expect(byPeer).toEqual(truth.retransmits.byPeer);
    });

    it('gives addresses their owners at the time of the event, and says where it does not know', () => {
      for (const [label, expected] of [
        ['rack', truth.retransmits.byRackPair],
        ['service', truth.retransmits.byServicePair],
      ] as const) {
        const pairs = (report.summary.pairs[label] ?? []).filter(
          ({ retransmits }) => Number(retransmits) > 0,
        );
        const found: Record<string, number> = {};
        for (const { from, to, ownership, retransmits } of pairs)
          found[`${from} ${to ?? ownership}`] = Number(retransmits);
        expect(found).toEqual(expected);
      }
    });

    it('finds each event that is missing, by host', () => {
      const expected = Object.groupBy(truth.missing, ({ host }) => host);
      const found = report.summary.account.filter(({ missing: count }) => count > 0);
      expect(Object.fromEntries(found.map(({ host, missing: count }) => [host, count]))).toEqual(
        Object.fromEntries(Object.entries(expected).map(([host, events]) => [host, events?.length])),
      );
      expect(sumOf(report.summary.account.map(({ expected: count }) => count))).toBe(truth.emitted);
      expect(report.summary.account).toHaveLength(200);
    });

    it('says first what was planted', () => {
      const { badRackPair, unreachable, resetStorm, slowService } = truth.planted;
      const headlines = new Map(report.summary.headlines.map((headline) => [headline.id, headline]));
      const place = { label: 'rack', value: badRackPair.to };
      expect(headlines.get('worst_peers')?.facts).toMatchObject({ ...place, until: null });
      const since = Date.parse(String(headlines.get('worst_peers')?.facts['since']));
      expect(Math.abs(since - FLEET_START_MS - badRackPair.fromMinute * 60_000)).toBeLessThanOrEqual(300_000);
      expect(headlines.get('worst_rack_pair')?.facts).toMatchObject({
        from: badRackPair.from,
        to: badRackPair.to,
      });
      expect(headlines.get('unanswered')?.facts['addresses']).toEqual([unreachable.address]);
      expect(headlines.get('resets')?.facts['peer']).toBe(resetStorm.peer);
      expect(headlines.get('slow_service')?.facts['service']).toBe(`${slowService}:5432`);
      expect(headlines.get('close_wait')?.text).toContain('beam.smp on port 5672');
      expect(headlines.get('silent_hosts')?.text).toContain('web-92.');
      expect(headlines.get('listen_drops')?.text).toContain('260 connections were dropped');
      expect(headlines.get('lost_records')?.facts).toMatchObject({ 'lost.kernel_overrun': 25 });
      expect(headlines.get('missing')?.facts).toMatchObject({ missing: truth.missing.length });
    });
  });

  it('shows the same sentences and figures on the page', () =>
    withPage({}, async (page) => {
      expect(await texts(page, '.headlines li > span')).toEqual(
        report.summary.headlines.map(({ text }) => text),
      );
      const [first] = report.summary.peers;
      expect((await cellsOf(page, 'peers', 7))[0]).toBe(first?.['address']);
      const { badRackPair } = truth.planted;
      const cell = await texts(page, `#matrix td[title^="${badRackPair.from} → ${badRackPair.to}:"]`);
      expect(cell[0]).toBe(String(truth.retransmits.byRackPair[`${badRackPair.from} ${badRackPair.to}`]));
      expect(await texts(page, '#account tbody tr > :nth-child(4)')).toContain(
        String(
          Math.max(
            ...Object.values(Object.groupBy(truth.missing, ({ host }) => host)).map(
              (events) => events?.length ?? 0,
            ),
          ),
        ),
      );
    }));

  it('sorts by a column, both ways, and tells it', () =>
    withPage({}, async (page) => {
      const button = await page.$('#services thead th:nth-child(4) button');
      const bytes = async () =>
        await page.$eval('#services thead th:nth-child(4)', (head) => head.getAttribute('aria-sort'));
      const expected = report.summary.services.toSorted(
        (one, other) => Number(other['bytes']) - Number(one['bytes']),
      );
      const names = expected.map(({ service, port }) =>
        service === null ? (port === null ? 'not told' : `port ${port}`) : `${service}:${port}`,
      );
      const withBytes = expected.filter(({ bytes: count }) => Number(count) > 0).length;
      expect(await bytes()).toBe('none');
      await button?.click();
      expect(await bytes()).toBe('descending');
      expect((await cellsOf(page, 'services', 1)).slice(0, withBytes)).toEqual(names.slice(0, withBytes));
      await button?.click();
      expect(await bytes()).toBe('ascending');
      // What is not known is last, whichever way.
      expect((await cellsOf(page, 'services', 1)).slice(0, withBytes)).toEqual(
        names.slice(0, withBytes).toReversed(),
      );
    }));

  it('filters by words in any column, and reaches every row', () =>
    withPage({}, async (page) => {
      await page.type('#peers input[type=search]', 'r09 db');
      const racks = await cellsOf(page, 'peers', 5);
      expect(racks.length).toBeGreaterThan(0);
      expect(new Set(racks)).toEqual(new Set(['r09']));
      expect(await page.$eval('#peers .count', (count) => count.textContent)).toMatch(/^\d+ of \d+ rows$/);
      await page.click('#hosts .more button:last-child');
      expect(await cellsOf(page, 'hosts', 1)).toHaveLength(200);
    }));

  it('copies a table as tab-separated values', () =>
    withPage({}, async (page) => {
      const session = await page.createCDPSession();
      await session.send('Browser.grantPermissions', {
        permissions: ['clipboardReadWrite', 'clipboardSanitizedWrite'],
      });
      await page.bringToFront();
      await page.click('#resets .tools button');
      await page.waitForFunction(`document.querySelector('#resets .tools button').textContent === 'Copied'`);
      const lines = String(await page.evaluate('navigator.clipboard.readText()'))
        .split('\n')
        .map((line) => line.split('\t'));
      expect(lines[0]).toEqual(['Reset', 'State', 'Resets', 'Share']);
      expect(sumOf(lines.slice(1).map(([, , count]) => Number(count)))).toBe(
        sumOf(Object.values(truth.resetsByPeer)),
      );
    }));

  /** Retransmits that are true from a time to a time, in minutes after the start. */
  const retransmitsBetween = (from: number, to: number) => {
    const minuteOf = (ms: number) => (ms - FLEET_START_MS) / 60_000;
    const inside = retransmits.filter(({ ms }) => minuteOf(ms) >= from && minuteOf(ms) < to);
    return sumOf(inside.map(({ count }) => count));
  };
  const shownRetransmits = async (page: Page) =>
    Number((await page.$eval('.figures b', (figure) => figure.textContent ?? '')).replaceAll(',', ''));
  /** The chosen part in minutes after the start; null for all of the time. */
  const shownRange = async (page: Page): Promise<[number, number] | null> => {
    const text = await page.$eval('#range', (range) => range.textContent ?? '');
    const times = [...text.matchAll(/(\d\d):(\d\d)(?::(\d\d))?/g)].map(
      ([, hours, minutes, seconds = 0]) => Number(hours) * 60 + Number(minutes) + Number(seconds) / 60 - 690,
    );
    return times[0] === undefined || times[1] === undefined ? null : [times[0], times[1]];
  };

  it('narrows everything to the part of the time over which one drags', () =>
    withPage({}, async (page) => {
      const before = await cellsOf(page, 'peers', 1);
      const chart = await page.$('.u-over');
      await chart?.scrollIntoView();
      const box = await chart?.boundingBox();
      if (!box) throw new Error('there is no chart');
      const y = box.y + box.height / 2;
      const told = () => page.$eval('.legend .when', (when) => when.textContent);
      await page.mouse.move(box.x + 1, y);
      expect(await told()).toMatch(/^11:3[0-1]/);
      await page.mouse.move(box.x + box.width * 0.25, y);
      expect(await told()).toMatch(/^(11:59|12:0[01])/);
      await page.mouse.down();
      await page.mouse.move(box.x + box.width * 0.5, y, { steps: 5 });
      await page.mouse.up();
      const range = await shownRange(page);
      expect(range).not.toBeNull();
      const [from, to] = range ?? [0, 0];
      expect(from).toBeGreaterThanOrEqual(25);
      expect(to).toBeLessThanOrEqual(65);
      expect(await shownRetransmits(page)).toBe(retransmitsBetween(from, to));
      expect(
        sumOf((await cellsOf(page, 'services', 5)).map((text) => Number(text.replaceAll(',', '')))),
      ).toBe(retransmitsBetween(from, to));
      expect(await cellsOf(page, 'peers', 1)).not.toEqual(before);
      await page.click('nav button');
      expect(await shownRange(page)).toBeNull();
      expect(await cellsOf(page, 'peers', 1)).toEqual(before);
    }));

  it('is used with the keyboard alone, and says what is under the cursor', () =>
    withPage({}, async (page) => {
      const told = () => page.$eval('.chart', (chart) => chart.getAttribute('aria-valuetext'));
      await page.focus('.chart');
      await page.keyboard.press('Home');
      expect(await told()).toMatch(/^11:30(:00)? UTC: timeout \d+, fast \d+/);
      await page.keyboard.down('Shift');
      for (let press = 0; press < 3; press++) await page.keyboard.press('ArrowRight');
      await page.keyboard.up('Shift');
      const [from, to] = (await shownRange(page)) ?? [0, 0];
      expect([from, to > 0]).toEqual([0, true]);
      expect(await shownRetransmits(page)).toBe(retransmitsBetween(from, to));
      await page.keyboard.press('Escape');
      expect(await shownRange(page)).toBeNull();
      await page.keyboard.press('End');
      await page.keyboard.press('Enter');
      expect((await shownRange(page))?.[1]).toBe(120);
      await page.keyboard.press('Escape');
      await page.focus('.sliders label:first-child input');
      await page.keyboard.press('ArrowRight');
      const range = await shownRange(page);
      expect(range?.[0]).toBeGreaterThan(0);
      expect(await shownRetransmits(page)).toBe(retransmitsBetween(range?.[0] ?? 0, 120));
    }));

  it('has its charts as tables too', () =>
    withPage({}, async (page) => {
      for (const summary of await page.$$('summary')) await summary.click();
      expect(sumOf((await cellsOf(page, 'time', 2)).map(Number))).toBeGreaterThan(0);
      await page.click('#time .more button:last-child');
      const rows = await page.$$eval('#time tbody tr', (found) =>
        found.map((row) => [...row.children].slice(1).map((cell) => Number(cell.textContent))),
      );
      expect(sumOf(rows.flat())).toBe(truth.retransmits.total);
      await page.click('#matrix .more button:last-child');
      expect(sumOf((await cellsOf(page, 'matrix details', 3)).map(Number))).toBe(truth.retransmits.total);
    }));

  it.each<Required<PageOptions>>([
    { width: 1280, scheme: 'light' },
    { width: 1280, scheme: 'dark' },
    { width: 390, scheme: 'light' },
  ])('has no serious fault for people with disabilities, at $width px, $scheme', (options) =>
    withPage(options, async (page) => {
      for (const summary of await page.$$('summary')) await summary.click();
      const violations = await page.evaluate(
        `${AXE}; axe.run().then(({ violations }) => violations.map(({ id, impact, nodes }) => ({ id, impact, where: nodes.map(({ html }) => html.slice(0, 200)) })))`,
      );
      const serious = (violations as { impact: string }[]).filter(
        ({ impact }) => impact === 'serious' || impact === 'critical',
      );
      expect(serious).toEqual([]);
      // Only tables scroll sideways, within their own frames.
      expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true);
    }),
  );

  it('is printed light and without controls', () =>
    withPage({ scheme: 'dark' }, async (page) => {
      await page.emulateMediaType('print');
      expect(await page.evaluate('getComputedStyle(document.body).color')).toBe('rgb(23, 33, 46)');
      const controls = `[...document.querySelectorAll('button, input, select')].filter((element) =>
        element.closest('th') === null && element.getClientRects().length > 0).length`;
      expect(await page.evaluate(controls)).toBe(0);
      expect((await page.pdf()).length).toBeGreaterThan(20_000);
    }));
});

describe.skipIf(missing)('names that an attacker chose, and huge numbers', () => {
  it('stay text, are cut where they are long, turn nothing around, and stay in their places', async () => {
    const evil = '</script><img src=x onerror="window.owned = 1"><script>window.owned = 1</script>';
    const turned = '\u202eevil\u202c \u05d0\u05d1\u05d2';
    const long = 'x'.repeat(10_000);
    const agents = [evil, turned, long].map((name, index) =>
      createTestAgent({
        name,
        address: `10.0.0.${index + 1}`,
        labels: { rack: name, service: name, role: `=cmd|' /C calc'!A0` },
      }),
    );
    const lines = agents.flatMap((agent, index) => [
      ...[agent.status(0), agent.life(1, `10.0.0.${((index + 1) % 3) + 1}`), agent.retransmit(2, evil)],
      agent.tcp('tcp_retransmit_summary', 3, evil, { retransmits_suppressed: 111_222_333_444 }),
      agent.status(60),
    ]);
    const { page: file } = reportOf('evil', lines);
    const browser = await startBrowser();
    try {
      const { page, faults } = await openPage(browser, file);
      expect(faults).toEqual([]);
      expect(await page.evaluate('"owned" in window')).toBe(false);
      expect(await page.$$('img')).toHaveLength(0);
      const hosts = await page.$$eval('#hosts tbody th', (heads) =>
        heads.map((head) => head.textContent ?? ''),
      );
      expect(hosts.toSorted()).toEqual(
        [evil, long, turned.replace('\u202e', '\\u{202e}').replace('\u202c', '\\u{202c}')].toSorted(),
      );
      expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true);
      const widest = await page.$$eval('bdi', (names) =>
        Math.max(...names.map((name) => name.getBoundingClientRect().width)),
      );
      expect(widest).toBeLessThan(400);
      await page.setViewport({ width: 390, height: 900 });
      // The page draws its charts anew.
      await page.waitForFunction('document.documentElement.scrollWidth <= innerWidth');
      const figures = await page.$$eval('.figures b', (found) =>
        found.map(({ scrollWidth, clientWidth }) => scrollWidth <= clientWidth),
      );
      expect(figures).toEqual(Array(6).fill(true));
    } finally {
      await browser.close();
    }
  });
});
