/** What kafkajs 2.2.4 puts into the errors that it throws. */
import { isProgrammerError } from '../../../shared/errors.ts';

/** The name of Kafka's error, such as `UNKNOWN_TOPIC_OR_PARTITION`; undefined for an error that no broker sent. */
export function typeOf(error: unknown): string | undefined {
  return (error as { type?: string } | undefined)?.type;
}

/** `host:port` as kafkajs writes it, where an error is about one broker. */
export function brokerOf(error: unknown): string | undefined {
  return (error as { broker?: string } | undefined)?.broker;
}

export function isRequestTimeout(error: unknown): boolean {
  return error instanceof Error && error.name === 'KafkaJSRequestTimeoutError';
}

/** By kafkajs's own mark, which follows Kafka's. What kafkajs tried several times in vain can be repeated too. */
export function isRetriable(error: unknown): boolean {
  if (error instanceof Error && error.name === 'KafkaJSNumberOfRetriesExceeded') return true;
  return (error as { retriable?: boolean }).retriable !== false && !isProgrammerError(error);
}

/** An error like kafkajs's own for topics that are not there. `topics` is null where nobody knows which. */
export function missingTopics(what: string, topics: readonly string[] | null): Error {
  const error = Object.assign(new Error(`a topic ${what}`), { type: 'UNKNOWN_TOPIC_OR_PARTITION' });
  return topics === null ? error : Object.assign(error, { topics });
}

/** An error as a broker sends it that does not take the compression of a record batch. */
export function unsupportedCompression(): Error {
  const type = 'UNSUPPORTED_COMPRESSION_TYPE';
  return Object.assign(new Error('the broker is older than the compression'), { type, retriable: false });
}

/** The same error with the topics that it is about. */
export function aboutTopics(error: unknown, topics: readonly string[]): unknown {
  return error instanceof Error ? Object.assign(error, { topics }) : error;
}
