/**
 * kafkajs 2.2.4 has types for its surface only: this is what lies below and is used or mended here. The surface would bring
 * its consumer and its administration into the agent.
 */

declare module 'kafkajs/src/network/requestQueue/index.js' {
  export interface Answer {
    /** Without its length and correlation id. */
    readonly payload: Buffer;
  }

  export interface PushedRequest {
    readonly entry: {
      readonly apiKey: number;
      readonly apiName: string;
      readonly apiVersion: number;
      readonly correlationId: number;
      readonly resolve: (answer: Answer) => void;
      readonly reject: (error: unknown) => void;
    };
    readonly expectResponse: boolean;
    /** Null is that of the connection. */
    readonly requestTimeout: null;
    readonly sendRequest: () => void;
  }

  export default class RequestQueue {
    readonly pending: readonly unknown[];
    readonly inflight: ReadonlyMap<
      number,
      {
        /** Milliseconds since 1970. */
        readonly sentAt: number;
        readonly requestTimeout: number;
        timeoutRequest(): void;
      }
    >;
    requestTimeoutIntervalId: NodeJS.Timeout | null | undefined;
    isConnected(): boolean;
    /** Sends it, as soon as nothing makes it wait. */
    push(request: PushedRequest): void;
    /** Makes the next requests wait so many milliseconds. */
    maybeThrottle(milliseconds: number): void;
    /** Called with each answer. */
    fulfillRequest(answer: Answer & { readonly correlationId: number }): void;
    scheduleCheckPendingRequests(): void;
    scheduleRequestTimeoutCheck(): void;
    sendSocketRequest(request: unknown): void;
    /** Stops both timers. */
    destroy(): void;
  }
}

declare module 'kafkajs/src/network/connection.js' {
  import type { Socket } from 'node:net';
  import type RequestQueue from 'kafkajs/src/network/requestQueue/index.js';

  export default class Connection {
    readonly clientId: string;
    readonly requestQueue: RequestQueue;
    readonly socket: Pick<Socket, 'write'>;
    /** Milliseconds; 0 for a session without an end. */
    readonly sessionLifetime: { toString(): string };
    /** Throws KafkaJSConnectionError. */
    failIfNotConnected(): void;
    nextCorrelationId(): number;
  }
}

declare module 'kafkajs/src/protocol/encoder.js' {
  export default class Encoder {
    /** What was written. */
    readonly buffer: Buffer;
    writeInt16(value: number): this;
    writeInt32(value: number): this;
    writeString(value: string | null): this;
  }
}

declare module 'kafkajs/src/protocol/message/compression/index.js' {
  import type { CompressionCodecs, CompressionTypes } from 'kafkajs';

  export const Codecs: typeof CompressionCodecs;
  export const Types: typeof CompressionTypes;
}

declare module 'kafkajs/src/producer/partitioners/default/murmur2.js' {
  /** The hash of Java's client (`murmur2` of Utils), signed. */
  export default function murmur2(key: string | Buffer): number;
}

declare module 'kafkajs/src/protocol/requests/index.js' {
  /** A request in one version, and its answer. */
  export interface Exchange {
    readonly request: { readonly apiKey: number; readonly apiName: string; readonly apiVersion: number };
    readonly response: {
      decode(payload: Buffer): Promise<Throttled>;
      /** Rejects with KafkaJSProtocolError for the first error in the answer. */
      parse(answer: Throttled): Promise<unknown>;
    };
  }

  /** Of an answer: the broker has waited, or the client has to, since Kafka 2.0 (KIP-219). */
  export interface Throttled {
    readonly throttleTime?: number;
    readonly clientSideThrottleTime?: number;
  }

  export const requests: { readonly Produce: ProduceDefinitions };
  export interface ProduceDefinitions {
    readonly versions: readonly string[];
  }
}

declare module 'kafkajs/src/cluster/index.js' {
  import type { ISocketFactory, PartitionMetadata, SASLOptions } from 'kafkajs';
  import type Connection from 'kafkajs/src/network/connection.js';
  import type { Exchange, ProduceDefinitions } from 'kafkajs/src/protocol/requests/index.js';

  export interface ClusterLogger {
    namespace(name: string): ClusterLogger;
    error(message: string, extra?: object): void;
    warn(message: string, extra?: object): void;
    info(message: string, extra?: object): void;
    debug(message: string, extra?: object): void;
  }

  export interface Broker {
    readonly connectionPool: {
      readonly host: string;
      readonly port: number;
      getConnection(): Promise<Connection>;
    };

    /** The request of the newest version that both sides know. */
    lookupRequest(apiKey: number, definitions: ProduceDefinitions): (content: { topicData: [] }) => Exchange;
    initProducerId(options: object): Promise<{ producerId: { toString(): string }; producerEpoch: number }>;
    /** Decompressed and decoded; resolves without messages when none came in time. */
    fetch(options: {
      /** 1: only what is committed. */
      isolationLevel: 0 | 1;
      maxBytes: number;
      topics: readonly {
        topic: string;
        partitions: readonly { partition: number; fetchOffset: string; maxBytes: number }[];
      }[];
    }): Promise<{
      responses: readonly {
        partitions: readonly {
          partition: number;
          messages: readonly { offset: string; value: Buffer | null }[];
        }[];
      }[];
    }>;
  }

  export default class Cluster {
    constructor(options: {
      logger: ClusterLogger;
      brokers: () => string[];
      clientId: string;
      connectionTimeout: number;
      requestTimeout: number;
      metadataMaxAge: number;
      allowAutoTopicCreation: boolean;
      socketFactory: ISocketFactory;
      retry: { initialRetryTime: number; maxRetryTime: number; retries: number };
      ssl?: object;
      sasl?: SASLOptions;
    });
    readonly brokerPool: {
      /**
       * By API key, the newest version of each request that the first broker it was connected to knows. kafkajs takes
       * them for those of all brokers. Null before it is connected.
       */
      readonly versions: Readonly<Record<number, { readonly maxVersion: number }>> | null;
    };
    isConnected(): boolean;
    connect(): Promise<void>;
    disconnect(): Promise<void>;
    /** Fetches metadata of the topic and, from now on, with every refresh. Rejects when it cannot be had. */
    addTargetTopic(topic: string): Promise<void>;
    refreshMetadata(): Promise<void>;
    refreshMetadataIfNecessary(): Promise<void>;
    /** Empty for a topic that is no target. */
    findTopicPartitionMetadata(topic: string): PartitionMetadata[];
    /** Connected, and logged in. */
    findBroker(which: { nodeId: number }): Promise<Broker>;
    findControllerBroker(): Promise<Broker>;
    /** Of a time (milliseconds since 1970): the first message that is as late; -1 where there is none. */
    fetchTopicsOffset(
      topics: readonly ({
        topic: string;
        partitions: readonly { partition: number }[];
      } & ({ fromBeginning: boolean } | { fromTimestamp: number }))[],
    ): Promise<{ topic: string; partitions: { partition: number; offset: string }[] }[]>;
  }
}
