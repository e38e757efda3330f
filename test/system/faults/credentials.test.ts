/** The fault matrix, Kafka: credentials and rights that are taken away from a running agent and given back. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { whyNoAgent } from '../../support/agent.ts';
import { type Broker, startBroker, whyNoKafka } from '../../support/kafka.ts';
import { expectExact, type Load, underLoad } from './load.ts';
import { FULL } from './row.ts';

const missing = FULL ? (whyNoAgent() ?? whyNoKafka()) : 'make test-faults does it';
if (missing && FULL) console.warn(`skipped: faults of Kafka's credentials: ${missing}`);

const USER = 'agent';
const PASSWORD = 'right';
/** How soon the broker wants to see the password again; kafkajs shows it 10 s earlier. */
const LOGIN_LASTS_MS = 12_000;

describe.skipIf(missing)('nothing is lost when, in Kafka,', () => {
  let directory: string;
  let passwordFile: string;
  let broker: Broker;
  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'ktc-faults-credentials-'));
    passwordFile = join(directory, 'password');
    writeFileSync(passwordFile, PASSWORD, { mode: 0o600 });
    broker = await startBroker({
      saslUsers: { [USER]: PASSWORD },
      properties: {
        'connections.max.reauth.ms': String(LOGIN_LASTS_MS),
        'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
        'super.users': 'User:ANONYMOUS',
      },
    });
  });
  afterAll(async () => {
    await broker?.stop();
    rmSync(directory, { recursive: true });
  });

  const row = async (topic: string, name: string, fault: (load: Load) => Promise<void>) => {
    await broker.createTopic(topic, 1);
    await broker.allow(USER, topic, ['DESCRIBE', 'WRITE']);
    const sink = {
      kafka: {
        enabled: true,
        brokers: [broker.saslAddress],
        topic,
        sasl: { mechanism: 'scram-sha-512', username: USER, password_file: passwordFile },
      },
    };
    const ending = await underLoad({ sink }, fault);
    expectExact(name, 'kafka', await broker.account(topic), ending);
  };

  it('the login is taken away and given back', () =>
    row('login', 'login revoked and given back (SCRAM-SHA-512)', async (load) => {
      await broker.setPassword(USER, null);
      await load.problem('kafka', /refused the login of "agent"/);
      await load.standstill('kafka');
      await broker.setPassword(USER, PASSWORD);
    }));

  it('the password is another for a while', () =>
    row('password', 'password changed and changed back', async (load) => {
      await broker.setPassword(USER, 'another');
      await load.problem('kafka', /refused the login of "agent"/);
      await load.standstill('kafka');
      await broker.setPassword(USER, PASSWORD);
    }));

  it('the right to write is taken away and given back', () =>
    row('rights', 'right to write revoked and given back', async (load) => {
      await broker.allow(USER, 'rights', ['DESCRIBE']);
      await load.problem('kafka', /may not write/);
      await load.standstill('kafka');
      await broker.allow(USER, 'rights', ['DESCRIBE', 'WRITE']);
    }));
});
