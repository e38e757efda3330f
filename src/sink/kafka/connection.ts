/** The connection of the Kafka sink: a client that is replaced after a failure, because its state is then unknown. */
import { type Result, success } from '../../shared/result.ts';
import type { SinkSocket } from '../sink.ts';
import type { SinkLog } from '../sink-log.ts';
import { createKafkaClient, type KafkaClient, type KafkaClientOptions } from './kafkajs/client.ts';
import { judge, type KafkaVerdict } from './kafkajs/faults.ts';
import type { Records } from './record-batch.ts';

export interface KafkaConnectionOptions extends KafkaClientOptions {
  /** The topics that must be there. */
  readonly topics: readonly string[];
  /** How long connecting may take. */
  readonly connectTimeoutMs: number;
  readonly log: SinkLog;
}

/** An open connection. */
export interface KafkaLink {
  produce(topic: string, records: Records, deadlineMs: number): Promise<KafkaVerdict>;
  /** `delivered` where the leaders of our partitions would take records; writes nothing. */
  probe(): Promise<KafkaVerdict>;
}

export interface KafkaConnection {
  /** Connects, unless there is a connection already. */
  open(): Promise<Result<KafkaLink, { mayPass: boolean }>>;
  sockets(): SinkSocket[];
  /** Disconnects from the brokers, within `deadlineMs`. Requests that are still under way fail. */
  close(deadlineMs: number): Promise<void>;
}

/**
 * A client whose request has failed is never used again, unless the broker refused the whole request before it wrote
 * anything. A mistake in the program is thrown.
 */
export function createKafkaConnection(options: KafkaConnectionOptions): KafkaConnection {
  const { brokers, topics, sasl, log } = options;
  let client: KafkaClient | null = null;
  /** What callers use of the client, once it is connected. */
  let link: KafkaLink | null = null;

  function dropClient(): void {
    client?.retire();
    client = null;
    link = null;
  }

  /** Gives the verdict on the outcome of `work`; `about` are the topics that it concerns. */
  async function attempt(about: readonly string[], work: () => Promise<void>): Promise<KafkaVerdict> {
    try {
      await work();
      return { kind: 'delivered' };
    } catch (error) {
      const verdict = judge(error, { brokers, topics: about, sasl });
      if (verdict.kind !== 'split') dropClient();
      if (verdict.kind === 'bug') throw error;
      return verdict;
    }
  }

  return {
    async open() {
      if (link !== null) return success(link);
      const fresh = createKafkaClient(options, log);
      client = fresh;
      const verdict = await attempt(topics, () => fresh.connect(topics, options.connectTimeoutMs));
      if (verdict.kind === 'retry') return { ok: false, problem: verdict.reason, mayPass: verdict.mayPass };
      const opened: KafkaLink = {
        produce: (topic, records, deadlineMs) =>
          attempt([topic], () => fresh.produce(topic, records, deadlineMs)),
        probe: () => attempt(topics, () => fresh.probe(topics, options.connectTimeoutMs)),
      };
      link = opened;
      log.info({ brokers, topics }, 'connected to Kafka');
      return success(opened);
    },
    sockets: () => client?.sockets() ?? [],
    async close(deadlineMs) {
      await client?.disconnect(deadlineMs);
      dropClient();
    },
  };
}
