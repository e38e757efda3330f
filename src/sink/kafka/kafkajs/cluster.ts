/**
 * kafkajs's view of a cluster: connections, TLS, logins and metadata, over sockets that are ours. Its producer is not
 * used: it takes one object per record, groups them in quadratic time and encodes them with many small buffers
 * (src/sink/kafka/record-batch.ts writes the same bytes directly from the events' bytes).
 */
import type { ISocketFactory, SASLOptions } from 'kafkajs';
import Cluster, { type ClusterLogger } from 'kafkajs/src/cluster/index.js';
import { createDialer } from '../../dialer.ts';
import type { SinkSocket } from '../../sink.ts';
import { hostOf, splitAddress, toKafkajs } from './broker-address.ts';
import { standIn } from './stand-in.ts';
import './sessions.ts';
import './timers.ts';
import { readTlsFiles, type TlsFiles } from '../../tls-files.ts';

export interface ClusterOptions {
  /** `host:port` of any brokers of the cluster, an IPv6 address in brackets. */
  readonly brokers: readonly string[];
  readonly clientId: string;
  /** How long one request may wait for its answer. */
  readonly requestTimeoutMs: number;
  readonly tls: TlsFiles | null;
  readonly sasl: KafkaSasl | null;
}

export interface KafkaSasl {
  readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512';
  readonly username: string;
  readonly password: string;
}

export interface ClusterLink {
  readonly cluster: Cluster;
  sockets(): SinkSocket[];
  /** Ends the connections to one broker, `host:port` as kafkajs names it: others are then asked first. */
  hangUp(broker: string): void;
  /** Ends all connections and makes no new ones, which ends every request of kafkajs. */
  cut(): void;
}

export interface ClusterListener {
  debug(fields: object, message: string): void;
  /** What kafkajs last found wrong, in one line. */
  onComplaint(complaint: string): void;
}

/** At most: then another broker is asked. */
const CONNECT_TIMEOUT_MS = 10_000;
const KEEP_ALIVE_MS = 60_000;
const METADATA_MAX_AGE_MS = 300_000;

let links = 0;

/** Connects nothing yet. Throws where a file of `tls` cannot be read. */
export function createClusterLink(options: ClusterOptions, listener: ClusterListener): ClusterLink {
  const dialer = createDialer();
  const timeoutMs = Math.min(CONNECT_TIMEOUT_MS, options.requestTimeoutMs);
  let isCut = false;

  const socketFactory: ISocketFactory = ({ host, port, ssl, onConnect }) => {
    const target = { host: hostOf(host), port, tls: ssl ?? null };
    const connect = async (signal: AbortSignal) => {
      const socket = await dialer.dial(target, { timeoutMs, signal });
      return socket.setKeepAlive(true, KEEP_ALIVE_MS);
    };
    return standIn(connect, onConnect);
  };

  const ignore = () => {};
  const logger: ClusterLogger = {
    namespace: () => logger,
    error(message, extra) {
      const { error, broker } = (extra ?? {}) as { error?: string; broker?: string };
      const complaint = error === undefined ? message : `${message}: ${error}`;
      listener.onComplaint(complaint);
      listener.debug({ broker }, complaint);
    },
    warn: ignore,
    info: ignore,
    debug: ignore,
  };

  // A client that replaces another begins with another broker: the first of the list may accept connections and never
  // answer.
  const turn = links++ % Math.max(1, options.brokers.length);
  const brokers = [...options.brokers.slice(turn), ...options.brokers.slice(0, turn)].map(toKafkajs);

  const cluster = new Cluster({
    logger,
    // Only an empty list makes kafkajs stop looking for a broker.
    brokers: () => (isCut ? [] : brokers),
    clientId: options.clientId,
    connectionTimeout: timeoutMs,
    requestTimeout: options.requestTimeoutMs,
    metadataMaxAge: METADATA_MAX_AGE_MS,
    allowAutoTopicCreation: false,
    socketFactory,
    // Tries every broker of the list once: a quick failure is better than a late success.
    retry: { initialRetryTime: 100, maxRetryTime: 100, retries: brokers.length },
    ...(options.tls && { ssl: readTlsFiles(options.tls) }),
    ...(options.sasl && { sasl: saslOptions(options.sasl) }),
  });

  return {
    cluster,
    sockets: dialer.sockets,
    hangUp(broker) {
      const { host, port } = splitAddress(broker);
      dialer.hangUp(host, port);
    },
    cut() {
      isCut = true;
      dialer.close();
    },
  };
}

function saslOptions({ mechanism, username, password }: KafkaSasl): SASLOptions {
  // kafkajs types each mechanism apart although they take the same fields; it also writes into the object.
  return { mechanism, username, password } as SASLOptions;
}
