import { assert, describe, expect, it } from 'vitest';
import { loadConfig } from '../../../src/config/load.ts';
import { sinks } from '../../../src/config/sinks.ts';
import { SINK_NAMES } from '../../../src/sink/registry.ts';
import { silentLog } from '../../support/silent-log.ts';

describe.each(SINK_NAMES)('the sink %s', (name) => {
  it('has the name that the configuration gives it', async () => {
    const loaded = loadConfig({ file: null, environment: {}, flags: { 'sink.stdout.enabled': 'true' } });
    assert(loaded.ok);
    const { config, secrets } = loaded.value;
    const sink = await sinks[name].create(config, secrets, {
      version: '0.0.0',
      host: 'h',
      eventKinds: [],
      log: silentLog,
      onStdoutClosed() {},
    });
    expect(sink.name).toBe(name);
    await sink.close();
  });

  it('is off unless it is chosen', () => {
    expect(sinks[name].keys.enabled.default).toBe(false);
  });

  it('checks and reads its own keys, and reports there', () => {
    const { checks, secret } = sinks[name];
    for (const { reads } of [...checks, ...(secret === null ? [] : [secret])])
      expect(reads[0]).toMatch(new RegExp(`^sink\\.${name}\\.`));
    if (secret !== null) expect(secret.shownAs).toMatch(new RegExp(`^sink\\.${name}\\.`));
  });
});
