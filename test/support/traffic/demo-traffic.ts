/** Stands in for the bundle's entry, so that tests of the demo's traffic need no build. */
import { runDemoTraffic } from '../../../src/demo/exchange.ts';

process.exit(await runDemoTraffic(process.argv.slice(3)));
