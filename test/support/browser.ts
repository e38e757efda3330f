/** A headless Chromium for pages, and what a page does there. */
import { existsSync } from 'node:fs';
import puppeteer, { type Browser, type Page } from 'puppeteer-core';

const CHROMIUM = '/usr/bin/chromium';

/** Why no page can be opened here, in one line; null when one can. */
export function whyNoBrowser(): string | null {
  return existsSync(CHROMIUM)
    ? null
    : `${CHROMIUM} is not installed: run scripts/install-test-dependencies.sh`;
}

export function startBrowser(): Promise<Browser> {
  // Its sandbox needs another user than root; the pages are our own, from files.
  return puppeteer.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-gpu'] });
}

export interface PageOptions {
  readonly width?: number;
  readonly scheme?: 'light' | 'dark';
}

export interface OpenPage {
  readonly page: Page;
  /** What it asked for but itself, and everything that it or the browser complained about. */
  readonly faults: string[];
}

/** Opens a file and waits until it says that it is ready (`data-ready`). */
export async function openPage(
  browser: Browser,
  path: string,
  { width = 1280, scheme = 'light' }: PageOptions = {},
): Promise<OpenPage> {
  const page = await browser.newPage();
  const faults: string[] = [];
  page.on('console', (message) => faults.push(`console ${message.type()}: ${message.text()}`));
  page.on('pageerror', (error) => faults.push(`error: ${String(error)}`));
  page.on('request', (request) => {
    const url = request.url();
    if (url !== `file://${path}` && url !== 'data:,') faults.push(`request: ${url}`);
  });
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
  await page.setViewport({ width, height: 900 });
  await page.goto(`file://${path}`);
  await page.waitForSelector('html[data-ready]');
  return { page, faults };
}
