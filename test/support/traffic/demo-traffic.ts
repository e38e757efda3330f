/** Stands in for the bundle's entry, so that tests of the demo's traffic need no build. */
import { runDemoTraffic } from '../../../src/demo/exchange.ts';

const ran = await runDemoTraffic(process.argv.slice(3));
process.exit(ran.ok ? 0 : 1);
