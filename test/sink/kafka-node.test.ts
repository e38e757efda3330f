/** The brokers of the tests themselves: none is left behind, whenever it is ended. */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createNode } from '../support/kafka/node.ts';
import { whyNoKafka } from '../support/kafka.ts';
import { freePorts } from '../support/wait.ts';

const missing = whyNoKafka();
if (missing) console.warn(`skipped: the brokers of the tests: ${missing}`);

describe.skipIf(missing)('a broker of a test', () => {
  it('is gone when it is killed while it starts', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'ktc-kafka-node-'));
    const [port = 0, controllerPort = 0] = await freePorts(2);
    const node = await createNode({
      directory,
      clusterId: randomBytes(16).toString('base64url'),
      heapMiB: 256,
      properties: {
        'process.roles': 'broker,controller',
        'node.id': '1',
        'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
        listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
        'controller.listener.names': 'CONTROLLER',
      },
    });
    onTestFinished(async () => {
      await node.kill();
      rmSync(directory, { recursive: true });
    });
    const refused = expect(node.start()).rejects.toThrow('ended while starting');
    const pid = node.pid();
    await node.kill();
    await refused;
    expect(pid).not.toBeNull();
    expect(existsSync(`/proc/${pid}`)).toBe(false);
  });
});
