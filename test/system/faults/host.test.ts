/** The fault matrix, the host: others meddle with the ftrace instance under load. */
import { rmdirSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { whyNoAgent } from '../../support/agent.ts';
import { noNetworkReason } from '../../support/network.ts';
import { until } from '../../support/wait.ts';
import { expectExact } from './exact.ts';
import { FULL } from './row.ts';
import { onStage } from './stage.ts';

const missing = whyNoAgent() ?? noNetworkReason;
if (missing) console.warn(`skipped: faults of the host: ${missing}`);

/** Each is looked at every 5 s. */
const SETTINGS = ['tracing_on', ...(FULL ? ['events/sock/inet_sock_set_state/enable'] : [])];

describe.skipIf(missing)('an ftrace instance under load', () => {
  it('cannot be removed, and finds its settings put back', () =>
    onStage({}, async (stage) => {
      await stage.start();
      await stage.traffic();
      await stage.delivers(1_000);
      expect(() => rmdirSync(stage.instance)).toThrow('EBUSY');
      for (const setting of SETTINGS) {
        const before = (await stage.agent.status()).ledger.lost['settings_changed'] ?? 0;
        writeFileSync(`${stage.instance}/${setting}`, '0');
        await until(
          async () => ((await stage.agent.status()).ledger.lost['settings_changed'] ?? 0) > before,
          `${setting} to be put back`,
        );
        await stage.delivers(2_000);
      }
      const losses = expectExact('ftrace instance removed and switched off by others', await stage.finish(), {
        reasons: ['settings_changed'],
      });
      expect(losses['settings_changed']).toBe(SETTINGS.length);
    }));
});
