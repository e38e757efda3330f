/**
 * Runs the benches and writes docs/performance.md.
 *
 *     node bench/run.ts [--quick] [pages] [kafka] [spool] [otlp] [idle] [processes] [source] [tools] [outage] [crash] [module] [report] [query] [fleet] [controller]
 *
 * With `--quick`, or when not all are run, the tables are only printed. A missed bar is said, and is no failure: it may
 * be the machine's.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { controller } from './controller.ts';
import { crash } from './crash.ts';
import { fleet } from './fleet.ts';
import { fleetReport } from './fleet-report.ts';
import { idle } from './idle.ts';
import { kafka } from './kafka.ts';
import { module } from './module.ts';
import { otlp } from './otlp.ts';
import { outage } from './outage.ts';
import { pages } from './pages.ts';
import { processes } from './processes.ts';
import { query } from './query.ts';
import { type Bar, type Bench, barsText, machine, tableText } from './report.ts';
import { source } from './source.ts';
import { spool } from './spool.ts';
import { tools } from './tools.ts';

const BENCHES: Readonly<Record<string, Bench>> = {
  pages,
  kafka,
  spool,
  otlp,
  idle,
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

const where = machine();
const texts: string[] = [];
const bars: Bar[] = [];
for (const [name, bench] of Object.entries(BENCHES)) {
  if (positionals.length > 0 && !positionals.includes(name)) continue;
  console.error(`measuring ${name} …`);
  const report = await bench(values.quick);
  bars.push(...report.bars);
  for (const table of report.tables) {
    const text = tableText(table);
    texts.push(text);
    console.log(text);
  }
}
const summary = barsText(bars);
console.log(`${summary}\n${where}`);

if (!values.quick && positionals.length === 0) {
  const head = `# Performance\n\n<!-- Written by \`make bench\` (bench/run.ts): do not edit. -->\n\nThis page shows what the agent costs, compared with other programs in the same run. Read it to size hosts. Shared virtual\nmachines are noisy: use the ratios rather than the absolute figures, and measure on your own host with \`make bench\`.\n\n${where}\n`;
  writeFileSync(PAGE, [head, summary, ...texts].join('\n'));
  console.error(`written to ${PAGE}`);
}
