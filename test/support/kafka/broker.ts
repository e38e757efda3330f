/** A single broker, with the listeners a test asks for. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePorts } from '../wait.ts';
import { createNode, type KafkaNode, runTool, SCRAM, SHA_512 } from './node.ts';
import { createTopics, type Topics } from './topics.ts';

export interface BrokerOptions {
  /** An address of this machine for the plain listener; the loopback unless given. */
  host?: string;
  /** Of the plain listener; a free one unless given. */
  port?: number;
  /** Kept at the end when given; else made under the system's temporary directory and removed. */
  dataDirectory?: string;
  /** Broker properties, over those of a single node. */
  properties?: Record<string, string>;
  /** Adds a SASL_PLAINTEXT listener for these users and their passwords, by PLAIN and by SCRAM. */
  saslUsers?: Record<string, string>;
  /**
   * Adds a listener on the loopback for each of these, `host:port`, which tells its clients that the broker is there. A host
   * alone is how others see this machine's loopback; the port is the listener's own.
   */
  advertised?: readonly string[];
  /** Adds an SSL listener that asks for client certificates; PEM files, the key store with key and certificate. */
  tlsFiles?: { keyStore: string; trustStore: string };
}

export interface Broker extends KafkaNode, Topics {
  /** `<host>:<port>` of the plain listener. */
  readonly address: string;
  /** Of the SASL_PLAINTEXT listener, where there is one. */
  readonly saslAddress: string | null;
  /** Of the SSL listener, where there is one. */
  readonly tlsAddress: string | null;
  /** Of the listeners that tell another address, in their order. */
  readonly misleadingAddresses: readonly string[];
  readonly dataDirectory: string;
  /** `create` with the settings of the topic. */
  createTopic(name: string, partitions: number, config?: Record<string, string>): Promise<void>;
  /** Limits what a client, by its id, may send before the broker makes it wait. */
  limit(clientId: string, bytesPerSecond: number): Promise<void>;
  /** Gives a user another password for SCRAM-SHA-512, or takes that login away. */
  setPassword(user: string, password: string | null): Promise<void>;
  /** `delete` by its older name. */
  deleteTopic(name: string): Promise<void>;
}

/** Starts a broker and resolves when it serves its listeners. */
export async function startBroker(options: BrokerOptions = {}): Promise<Broker> {
  const advertised = options.advertised ?? [];
  const [plainPort = 0, controllerPort = 0, saslPort = 0, tlsPort = 0, ...misleadingPorts] = await freePorts(
    4 + advertised.length,
  );
  const address = `${options.host ?? '127.0.0.1'}:${options.port ?? plainPort}`;
  const saslAddress = options.saslUsers ? `127.0.0.1:${saslPort}` : null;
  const tlsAddress = options.tlsFiles ? `127.0.0.1:${tlsPort}` : null;
  const misleadingAddresses = misleadingPorts.map((each) => `127.0.0.1:${each}`);
  const told = advertised.map((each, index) =>
    each.includes(':') ? each : `${each}:${misleadingPorts[index]}`,
  );
  const listenersOf = (misleading: readonly string[]) =>
    [
      `PLAINTEXT://${address}`,
      ...(saslAddress ? [`SASL_PLAINTEXT://${saslAddress}`] : []),
      ...(tlsAddress ? [`SSL://${tlsAddress}`] : []),
      ...misleading.map((each, index) => `MISLEADING${index}://${each}`),
    ].join(',');
  const dataDirectory = options.dataDirectory ?? mkdtempSync(join(tmpdir(), 'ktc-kafka-'));

  const removeData = () => {
    if (options.dataDirectory === undefined) rmSync(dataDirectory, { recursive: true, force: true });
  };
  process.once('exit', removeData);

  let node: KafkaNode | null = null;
  try {
    node = await createNode({
      directory: dataDirectory,
      clusterId: randomBytes(16).toString('base64url'),
      heapMiB: 512,
      ...(options.saslUsers && { scramUsers: options.saslUsers }),
      properties: {
        'process.roles': 'broker,controller',
        'node.id': '1',
        'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
        listeners: `${listenersOf(misleadingAddresses)},CONTROLLER://127.0.0.1:${controllerPort}`,
        'advertised.listeners': listenersOf(told),
        'controller.listener.names': 'CONTROLLER',
        'listener.security.protocol.map': [
          'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,SSL:SSL',
          ...advertised.map((_, index) => `MISLEADING${index}:PLAINTEXT`),
        ].join(','),
        'offsets.topic.replication.factor': '1',
        'auto.create.topics.enable': 'false',
        // After SIGKILL a broker may not register again before its last session has ended.
        'broker.session.timeout.ms': '2000',
        'broker.heartbeat.interval.ms': '500',
        ...saslProperties(options.saslUsers),
        ...tlsProperties(options.tlsFiles),
        ...options.properties,
      },
    });
    await node.start();
  } catch (error) {
    await node?.kill();
    removeData();
    throw error;
  }

  const { stop } = node;
  const topics = createTopics(() => [address]);
  const alter = (type: 'clients' | 'users', name: string, ...change: readonly string[]) => {
    const entity = ['--bootstrap-server', address, '--entity-type', type, '--entity-name', name];
    return runTool('kafka.admin.ConfigCommand', '--alter', ...entity, ...change);
  };
  return {
    ...node,
    ...topics,
    address,
    saslAddress,
    tlsAddress,
    misleadingAddresses,
    dataDirectory,
    async stop() {
      await stop();
      removeData();
    },
    createTopic: (name, partitions, config = {}) => topics.create(name, partitions, { config }),
    deleteTopic: topics.delete,
    limit: (clientId, bytesPerSecond) =>
      alter('clients', clientId, '--add-config', `producer_byte_rate=${bytesPerSecond}`),
    setPassword: (user, password) =>
      password === null
        ? alter('users', user, '--delete-config', SHA_512)
        : alter('users', user, '--add-config', `${SHA_512}=[password=${password}]`),
  };
}

function saslProperties(users: Record<string, string> | undefined): Record<string, string> {
  if (users === undefined) return {};
  const entries = Object.entries(users).map(([name, password]) => `user_${name}="${password}"`);
  const login = 'org.apache.kafka.common.security.plain.PlainLoginModule required';
  const scram = 'org.apache.kafka.common.security.scram.ScramLoginModule required;';
  return {
    'sasl.enabled.mechanisms': ['PLAIN', ...SCRAM].join(','),
    'listener.name.sasl_plaintext.plain.sasl.jaas.config': `${login} ${entries.join(' ')};`,
    ...Object.fromEntries(
      SCRAM.map((mechanism) => [
        `listener.name.sasl_plaintext.${mechanism.toLowerCase()}.sasl.jaas.config`,
        scram,
      ]),
    ),
  };
}

function tlsProperties(files: BrokerOptions['tlsFiles']): Record<string, string> {
  if (files === undefined) return {};
  return {
    'ssl.keystore.type': 'PEM',
    'ssl.keystore.location': files.keyStore,
    'ssl.truststore.type': 'PEM',
    'ssl.truststore.location': files.trustStore,
    'ssl.client.auth': 'required',
  };
}
