/** The example inventory: what it says of each host is a configuration that the agent takes. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { PROGRAMS, whyNoSite } from '../support/site.ts';

const missing = whyNoSite();
if (missing) console.warn(`skipped: the example inventory: ${missing}`);

const ROOT = join(import.meta.dirname, '../..');

describe.skipIf(missing)('the example inventory', () => {
  it.each([
    { host: 'web1.example.net', role: 'web', names: ['all', 'web'] },
    { host: 'web2.example.net', role: 'web', names: ['all', 'web', 'host'] },
    { host: 'db1.example.net', role: 'database', names: ['all', 'database'] },
  ])('gives $host the layers $names, and the agent takes them', ({ host, role, names }) => {
    const words = ['-i', join(ROOT, 'ansible/examples/inventory.yml'), '--host', host];
    const variables = JSON.parse(
      execFileSync(join(PROGRAMS, 'ansible-inventory'), words, { encoding: 'utf8', stdio: 'pipe' }),
    ) as Record<string, object>;
    const layers = Object.keys(variables).filter((name) => name.startsWith('ktc_agent_config__'));
    expect(layers.sort()).toEqual(names.map((name) => `ktc_agent_config__${name}`).sort());

    const directory = mkdtempSync(join(tmpdir(), 'ktc-inventory-'));
    try {
      mkdirSync(join(directory, 'conf.d'));
      writeFileSync(join(directory, 'agent.json'), '{}');
      for (const [ordinal, name] of names.entries()) {
        const content = JSON.stringify(variables[`ktc_agent_config__${name}`]);
        writeFileSync(join(directory, 'conf.d', `${ordinal}.json`), content);
      }
      const shown = execFileSync(
        join(ROOT, 'bin/ktc'),
        ['config', 'show', '--json', '--config', join(directory, 'agent.json')],
        { encoding: 'utf8' },
      );
      const { config } = JSON.parse(shown) as { config: { host: { labels: object } } };
      expect(config.host.labels).toEqual({ datacenter: 'dc1', owner: 'network', role });
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
