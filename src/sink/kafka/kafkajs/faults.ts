/** What a failure of kafkajs means for the events, decided by Kafka's own error names. */
import type { RejectReason } from '../../../ledger/reasons.ts';
import { isProgrammerError } from '../../../shared/errors.ts';
import { isTlsSetting, withoutNodeAdvice } from '../../tls-files.ts';
import { fromKafkajs } from './broker-address.ts';

export type KafkaVerdict =
  /** The broker has the events. */
  | { readonly kind: 'delivered' }
  /** The broker will never take at least one record of the request: send it in halves to find out which. */
  | { readonly kind: 'split'; readonly reason: RejectReason }
  /** Nothing is lost; `mayPass` is false for a problem that only an operator can solve. `reason` is one line. */
  | { readonly kind: 'retry'; readonly reason: string; readonly mayPass: boolean }
  /** A mistake in the program: to be thrown, never to be retried. */
  | { readonly kind: 'bug' };

/** What the explanations name. */
export interface KafkaSetting {
  readonly brokers: readonly string[];
  /** The topics of the request, unless the failure names topics itself. */
  readonly topics: readonly string[];
  readonly sasl: { readonly mechanism: string; readonly username: string } | null;
}

/** What to do about a failed connection, by the code that Node.js gives, or by words of the message where it has none. */
const CONNECTION_HINTS: readonly (readonly [cause: RegExp, hint: string])[] = [
  [
    /^CERT_HAS_EXPIRED/,
    "; the broker's certificate has to be renewed, unless the clock of this host is wrong",
  ],
  [/^CERT_NOT_YET_VALID/, '; compare the clocks of this host and of the broker'],
  [
    /^ERR_TLS_CERT_ALTNAME_INVALID/,
    '; name the broker as its certificate does, in sink.kafka.brokers and in its own advertised.listeners',
  ],
  [
    /^(UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO_SELF_SIGNED)/,
    "; the file sink.kafka.tls.ca_file must hold the authority that signed the broker's certificate",
  ],
  [
    /ALERT_(BAD_CERT|CERTIFICATE_|UNKNOWN_CA|HANDSHAKE_FAILURE)|alert (bad certificate|certificate|unknown ca)/i,
    '; the broker does not accept the certificate of this client: set sink.kafka.tls.certificate_file and key_file ' +
      'to one that it trusts',
  ],
  [
    /WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|disconnected before secure TLS connection/,
    '; does the broker speak TLS on this port?',
  ],
  [
    /^undefined Closed connection/,
    '; a broker ends connections so where its port wants TLS (sink.kafka.tls.enabled) or a login (sink.kafka.sasl)',
  ],
];

/** One error of a chain of causes. */
interface Cause {
  readonly name: string;
  readonly message: string;
  readonly type: string | undefined;
  readonly code: string | undefined;
  readonly broker: string | undefined;
  readonly topics: readonly string[] | undefined;
  /** A mistake in the program. */
  readonly isBug: boolean;
}

const NO_FIELDS = { type: undefined, code: undefined, broker: undefined, topics: undefined, isBug: false };

/** Codes of a RangeError that reading past the end of an answer throws: the fault of a peer that does not speak Kafka. */
const SHORT_ANSWER = ['ERR_OUT_OF_RANGE', 'ERR_BUFFER_OUT_OF_BOUNDS'];

/**
 * - Too large for the broker, or refused by its validation: split until one record is alone, then refuse it.
 * - DUPLICATE_SEQUENCE_NUMBER: an earlier attempt of the same request had arrived: delivered.
 * - Everything else that a broker, a network or an operator can cause is retried. That includes refusals that
 *   kafkajs does not repeat, such as missing permissions: they concern all events alike and end when an operator
 *   has solved the problem, so refusing the events would lose them for nothing.
 * - Programmer errors are bugs, with one exception: what kafkajs throws when a peer that does not speak Kafka
 *   makes it read past the end of an answer.
 */
export function judge(error: unknown, setting: KafkaSetting): KafkaVerdict {
  const chain = causes(error);
  if (chain.some((cause) => cause.isBug)) return { kind: 'bug' };
  const type = chain.map((cause) => cause.type).find((found) => found !== undefined);
  switch (type) {
    case 'MESSAGE_TOO_LARGE':
    case 'RECORD_LIST_TOO_LARGE':
      return { kind: 'split', reason: 'message_too_large' };
    case 'INVALID_RECORD':
      return { kind: 'split', reason: 'invalid_record' };
    case 'DUPLICATE_SEQUENCE_NUMBER':
      return { kind: 'delivered' };
    case undefined:
      return connectionVerdict(chain, setting);
    default: {
      const topics = chain.map((cause) => cause.topics).find((found) => found !== undefined);
      return protocolVerdict(type, chain[0]?.message ?? type, topics ? { ...setting, topics } : setting);
    }
  }
}

/** One line that says how to make the topics. */
export function missingTopics({ brokers, topics }: KafkaSetting): string {
  const [is, it] = topics.length === 1 ? ['does', 'it'] : ['do', 'them'];
  const commands = topics.map(
    (topic) =>
      `kafka-topics.sh --bootstrap-server ${brokers[0] ?? ''} --create --topic ${topic} --partitions 12`,
  );
  return (
    `${named(topics)} ${is} not exist on ${brokers.join(',')} and ${is === 'does' ? 'is' : 'are'} never created ` +
    `by the agent; create ${it}: ${commands.join(' && ')}`
  );
}

/** `Kafka topic "a"`, `Kafka topics "a", "b"` */
function named(topics: readonly string[]): string {
  return `Kafka topic${topics.length === 1 ? '' : 's'} ${topics.map((topic) => `"${topic}"`).join(', ')}`;
}

function protocolVerdict(type: string, message: string, setting: KafkaSetting): KafkaVerdict {
  const where = `${named(setting.topics)} on ${setting.brokers.join(',')}`;
  const operator = (reason: string): KafkaVerdict => ({ kind: 'retry', reason, mayPass: false });
  switch (type) {
    case 'UNKNOWN_TOPIC_OR_PARTITION':
      return operator(missingTopics(setting));
    case 'TOPIC_AUTHORIZATION_FAILED':
      return operator(
        `${where}: ${principal(setting)} may not write; grant it Write and Describe on the topic`,
      );
    case 'CLUSTER_AUTHORIZATION_FAILED':
      return operator(
        `${where}: ${principal(setting)} may not write idempotently; grant it IdempotentWrite on the cluster ` +
          'or set sink.kafka.idempotent to false',
      );
    case 'INVALID_TOPIC_EXCEPTION':
      return operator(`${where}: no valid name of a topic`);
    case 'UNSUPPORTED_COMPRESSION_TYPE':
      return operator(
        `${where}: does not take this compression; zstd needs brokers and a topic format of Kafka 2.1 or newer: ` +
          'set sink.kafka.compression to gzip',
      );
    case 'INVALID_TIMESTAMP':
      return operator(
        `${where}: refuses this host's time; compare the clocks of this host and of the broker`,
      );
    case 'UNSUPPORTED_FOR_MESSAGE_FORMAT':
      return operator(
        `${where}: its message.format.version is older than Kafka 0.11; raise it, or let the broker's own hold`,
      );
    case 'ILLEGAL_SASL_STATE':
      return loginInterrupted(message, setting);
    case 'UNSUPPORTED_SASL_MECHANISM':
    case 'SASL_AUTHENTICATION_FAILED':
      return operator(authenticationFailed(message, setting));
    default:
      return { kind: 'retry', reason: `${where}: ${message} (${type})`, mayPass: true };
  }
}

function connectionVerdict(chain: readonly Cause[], setting: KafkaSetting): KafkaVerdict {
  const login = chain.find(({ name }) => name === 'KafkaJSSASLAuthenticationError');
  if (login !== undefined) return loginVerdict(login.message, setting);
  // The innermost cause is what happened; the outer ones say how often kafkajs tried.
  const innermost = chain.at(-1);
  const code = chain.map((cause) => cause.code).find((found) => found !== undefined);
  const what = innermost?.message.replace(/^Connection error: /, '') || code || 'unknown failure';
  const broker = chain.map((cause) => cause.broker).find((found) => found !== undefined);
  const failure = `${code} ${what}`;
  const address = broker === undefined ? null : fromKafkajs(broker);
  const hint =
    CONNECTION_HINTS.find(([cause]) => cause.test(failure))?.[1] ?? advertisedHint(address, setting);
  const where = address ?? setting.brokers.join(',');
  const reason = `Kafka at ${where}: ${oneLine(withoutNodeAdvice(what))}${hint}`;
  return { kind: 'retry', reason, mayPass: !isTlsSetting(failure) };
}

/** An address that nobody has configured here is what a broker tells its clients. */
function advertisedHint(address: string | null, { brokers }: KafkaSetting): string {
  return address === null || brokers.includes(address)
    ? ''
    : '; this address is not in sink.kafka.brokers but in the advertised.listeners of a broker: this host must resolve and reach it';
}

const LOGIN_PREFIX = /^SASL .*? authentication failed: /;
/** The errors of kafkajs for a connection that ends during a login: nobody has refused anything. */
const LOST = /^(Closed connection|Connection (error|timeout)|Not connected|Request .* timed out)/;
/** Kafka's message for ILLEGAL_SASL_STATE, whose type kafkajs does not keep. */
const WRONG_MOMENT = /^Request is not valid given the current SASL state/;

function loginVerdict(message: string, setting: KafkaSetting): KafkaVerdict {
  const what = message.replace(LOGIN_PREFIX, '');
  if (!LOST.test(what) && !WRONG_MOMENT.test(what))
    return { kind: 'retry', reason: authenticationFailed(message, setting), mayPass: false };
  return loginInterrupted(what, setting);
}

function loginInterrupted(what: string, setting: KafkaSetting): KafkaVerdict {
  const where = `Kafka at ${setting.brokers.join(',')}`;
  const hint = WRONG_MOMENT.test(what) ? '; does the broker take logins on this port (sink.kafka.sasl)?' : '';
  const reason = `${where}: the login of ${principal(setting)} was interrupted: ${oneLine(what)}${hint}`;
  return { kind: 'retry', reason, mayPass: true };
}

function authenticationFailed(message: string, setting: KafkaSetting): string {
  const { mechanism, username } = setting.sasl ?? { mechanism: 'none', username: 'anonymous' };
  return (
    `Kafka at ${setting.brokers.join(',')} refused the login of "${username}" by SASL ${mechanism}: ` +
    `${oneLine(message.replace(LOGIN_PREFIX, ''))}; check mechanism, user name and password`
  );
}

function principal({ sasl }: KafkaSetting): string {
  return sasl ? `user "${sasl.username}"` : 'this client';
}

/** kafkajs wraps what it retried in vain or gave up on: outermost first, innermost last. */
function causes(error: unknown): Cause[] {
  const chain: Cause[] = [];
  for (let next = error; next instanceof Error && chain.length < 8; next = next.cause) {
    const fields = next as Error & {
      type?: unknown;
      code?: unknown;
      broker?: unknown;
      topics?: readonly string[];
    };
    const code = text(fields.code);
    const isShortAnswer = next instanceof RangeError && SHORT_ANSWER.includes(code ?? '');
    chain.push({
      name: next.name,
      message: next.message,
      type: text(fields.type),
      code,
      broker: text(fields.broker),
      topics: fields.topics,
      isBug: isProgrammerError(next) && !isShortAnswer,
    });
  }
  return chain.length > 0 ? chain : [{ name: 'unknown', message: String(error), ...NO_FIELDS }];
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function oneLine(message: string): string {
  return message.replace(/\s*\n\s*/g, ' ');
}
