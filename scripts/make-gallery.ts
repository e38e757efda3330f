/**
 * Takes the screenshots of docs/querying.md: the page of `ktc report`, of the made fleet of the tests, in headless Chromium.
 * Run it after the page has changed, and look at them.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { KTC } from '../test/support/agent.ts';
import { openPage, startBrowser } from '../test/support/browser.ts';
import { createFleet } from '../test/support/fleet-truth/fleet.ts';

const TARGET = join(import.meta.dirname, '../docs/images');
const EVENTS = 60_000;
const MOST_BYTES = 150_000;

const SHOTS = [
  { name: 'report-headlines', width: 1280, height: 900, scheme: 'light', section: null },
  { name: 'report-racks-dark', width: 1280, height: 900, scheme: 'dark', section: 'matrix' },
  { name: 'report-account', width: 1280, height: 700, scheme: 'light', section: 'account' },
  { name: 'report-phone', width: 390, height: 844, scheme: 'light', section: null },
  { name: 'report-phone-dark', width: 390, height: 844, scheme: 'dark', section: 'peers' },
] as const;

const directory = mkdtempSync(join(tmpdir(), 'ktc-gallery-'));
const browser = await startBrowser();
try {
  const input = join(directory, 'fleet.ndjson');
  const html = join(directory, 'fleet.html');
  const lines = [...createFleet({ events: EVENTS }).deliveries()].map(
    ({ event }) => `${JSON.stringify(event)}\n`,
  );
  writeFileSync(input, lines.join(''));
  // The page names its input: not by a directory that is gone.
  execFileSync(KTC, ['report', '-o', html, basename(input)], { cwd: directory });
  mkdirSync(TARGET, { recursive: true });
  for (const { name, width, height, scheme, section } of SHOTS) {
    const { page } = await openPage(browser, html, { width, scheme });
    await page.setViewport({ width, height });
    if (section !== null) await page.$eval(`#${section}`, (element) => element.scrollIntoView());
    const path = join(TARGET, `${name}.webp`);
    await page.screenshot({ path, type: 'webp', quality: 80 });
    const { size } = statSync(path);
    if (size > MOST_BYTES) throw new RangeError(`${path} has ${size} bytes, more than ${MOST_BYTES}`);
    await page.close();
  }
} finally {
  await browser.close();
  rmSync(directory, { recursive: true });
}
