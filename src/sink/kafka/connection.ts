/** The connection of the Kafka sink: a client that is replaced when nobody knows what its last failure left behind. */
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
}

export interface KafkaConnection {
  /** Connects where there is no connection. */
  open(): Promise<Result<KafkaLink, { mayPass: boolean }>>;
  sockets(): SinkSocket[];
  /** Takes leave of the brokers, for at most `deadlineMs`. What is still under way fails. */
  close(deadlineMs: number): Promise<void>;
}

/**
 * A client whose request has failed is never used again, unless the broker refused the request as a whole before
 * writing it. A mistake in the program is thrown.
 */
export function createKafkaConnection(options: KafkaConnectionOptions): KafkaConnection {
  const { brokers, topics, sasl, log } = options;
  let client: KafkaClient | null = null;
  /** Of the client, once it is connected. */
  let link: KafkaLink | null = null;

  function dropClient(): void {
    client?.retire();
    client = null;
    link = null;
  }

  /** The verdict on what `work` did; `about` are the topics in question. */
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
