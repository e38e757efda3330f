/**
 * Runs the benches, all or those named, and writes their sections of docs/performance.md.
 *
 *     node bench/run.ts [--quick] [pages] [kafka] [spool] [otlp] [idle] [memory] [processes] [source] [tools] [outage] [crash] [module] [report] [query] [fleet] [controller]
 *
 * With `--quick`, the tables are only printed; else each bench writes its section of the page. A missed bar is said, and is
 * no failure: it may be the machine's.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { controller } from './controller.ts';
import { crash } from './crash.ts';
import { fleet } from './fleet.ts';
import { fleetReport } from './fleet-report.ts';
import { idle } from './idle.ts';
import { kafka } from './kafka.ts';
import { memory } from './memory.ts';
import { module } from './module.ts';
import { otlp } from './otlp.ts';
import { outage } from './outage.ts';
import { sectionText, withSections } from './page.ts';
import { pages } from './pages.ts';
import { processes } from './processes.ts';
import { query } from './query.ts';
import type { Bench } from './report.ts';
import { source } from './source.ts';
import { spool } from './spool.ts';
import { tools } from './tools.ts';

const BENCHES: Readonly<Record<string, Bench>> = {
  pages,
  kafka,
  spool,
  otlp,
  idle,
  memory,
  processes,
  source,
  tools,
  outage,
  crash,
  module,
  query,
  fleet,
  controller,
  report: fleetReport,
};
const PAGE = join(import.meta.dirname, '../docs/performance.md');

const { values, positionals } = parseArgs({
  options: { quick: { type: 'boolean', default: false } },
  allowPositionals: true,
});
const unknown = positionals.filter((name) => !(name in BENCHES));
if (unknown.length > 0) {
  console.error(`no bench ${unknown.join(', ')}: there are ${Object.keys(BENCHES).join(', ')}`);
  process.exit(2);
}
if (process.getuid?.() !== 0) {
  console.error('the benches read kernel events, which needs root: run them with sudo');
  process.exit(77);
}

const measured = new Map<string, string>();
for (const [name, bench] of Object.entries(BENCHES)) {
  if (positionals.length > 0 && !positionals.includes(name)) continue;
  console.error(`measuring ${name} …`);
  const section = sectionText(await bench(values.quick));
  console.log(section);
  measured.set(name, section);
  if (values.quick) continue;
  // After each: a bench that fails must not cost what the others have measured.
  writeFileSync(PAGE, withSections(readFileSync(PAGE, 'utf8'), Object.keys(BENCHES), measured));
  console.error(`written to ${PAGE}`);
}
