import kafkajs from 'kafkajs';
import { describe, expect, it } from 'vitest';
import { judge, missingTopics } from '../../../../../src/sink/kafka/kafkajs/faults.ts';

const setting = {
  brokers: ['kafka-1:9092', 'kafka-2:9092'],
  topics: ['ktc-events'],
  sasl: { mechanism: 'plain', username: 'agent' },
};
const where = 'Kafka topic "ktc-events" on kafka-1:9092,kafka-2:9092';

/** What kafkajs rejects with when a broker answers this; the message is Kafka's. */
function answered(type: string) {
  const found = Object.assign(new Error('as the broker says'), { type, retriable: false });
  return new kafkajs.KafkaJSProtocolError(found);
}

function exhausted(cause: Error) {
  return new kafkajs.KafkaJSNumberOfRetriesExceeded(cause, { retryCount: 3, retryTime: 100 });
}

const retry = (reason: string, mayPass: boolean) => ({ kind: 'retry', reason, mayPass });

const ADVERTISED =
  '; this address is not in sink.kafka.brokers but in the advertised.listeners of a broker: this host must resolve and ' +
  'reach it';

describe('the verdict on a failure of kafkajs', () => {
  it.each([
    ['MESSAGE_TOO_LARGE', { kind: 'split', reason: 'message_too_large' }],
    ['RECORD_LIST_TOO_LARGE', { kind: 'split', reason: 'message_too_large' }],
    ['INVALID_RECORD', { kind: 'split', reason: 'invalid_record' }],
    ['DUPLICATE_SEQUENCE_NUMBER', { kind: 'delivered' }],
    [
      'OUT_OF_ORDER_SEQUENCE_NUMBER',
      retry(`${where}: as the broker says (OUT_OF_ORDER_SEQUENCE_NUMBER)`, true),
    ],
    ['NOT_ENOUGH_REPLICAS', retry(`${where}: as the broker says (NOT_ENOUGH_REPLICAS)`, true)],
    ['NOT_LEADER_FOR_PARTITION', retry(`${where}: as the broker says (NOT_LEADER_FOR_PARTITION)`, true)],
    ['UNKNOWN', retry(`${where}: as the broker says (UNKNOWN)`, true)],
    ['UNKNOWN_TOPIC_OR_PARTITION', retry(missingTopics(setting), false)],
    [
      'TOPIC_AUTHORIZATION_FAILED',
      retry(`${where}: user "agent" may not write; grant it Write and Describe on the topic`, false),
    ],
    [
      'CLUSTER_AUTHORIZATION_FAILED',
      retry(
        `${where}: user "agent" may not write idempotently; grant it IdempotentWrite on the cluster or set sink.kafka.idempotent to false`,
        false,
      ),
    ],
    [
      'UNSUPPORTED_COMPRESSION_TYPE',
      retry(
        `${where}: does not take this compression; zstd needs brokers and a topic format of Kafka 2.1 or newer: set sink.kafka.compression to gzip`,
        false,
      ),
    ],
    ['INVALID_TOPIC_EXCEPTION', retry(`${where}: no valid name of a topic`, false)],
    [
      'INVALID_TIMESTAMP',
      retry(`${where}: refuses this host's time; compare the clocks of this host and of the broker`, false),
    ],
  ])('%s', (type, verdict) => {
    expect(judge(answered(type), setting)).toEqual(verdict);
    expect(judge(exhausted(answered(type)), setting)).toEqual(verdict);
  });

  it('names the topics that the failure is about, in place of all', () => {
    const error = Object.assign(answered('UNKNOWN_TOPIC_OR_PARTITION'), { topics: ['a', 'b'] });
    expect(judge(error, setting)).toEqual(
      retry(
        'Kafka topics "a", "b" do not exist on kafka-1:9092,kafka-2:9092 and are never created by the agent; create them: ' +
          'kafka-topics.sh --bootstrap-server kafka-1:9092 --create --topic a --partitions 12 && ' +
          'kafka-topics.sh --bootstrap-server kafka-1:9092 --create --topic b --partitions 12',
        false,
      ),
    );
  });

  it('names the broker that could not be reached', () => {
    const error = new kafkajs.KafkaJSConnectionError('Connection error: connect ECONNREFUSED 10.0.0.7:9092', {
      broker: 'kafka-1:9092',
      code: 'ECONNREFUSED',
    });
    const verdict = retry('Kafka at kafka-1:9092: connect ECONNREFUSED 10.0.0.7:9092', true);
    expect(judge(error, setting)).toEqual(verdict);
    expect(judge(exhausted(error), setting)).toEqual(verdict);
  });

  it('falls back on the code where the message is empty, as for a name with two addresses', () => {
    const error = new kafkajs.KafkaJSConnectionError('Connection error: ', {
      broker: 'b:1',
      code: 'ECONNREFUSED',
    });
    expect(judge(error, setting)).toEqual(retry(`Kafka at b:1: ECONNREFUSED${ADVERTISED}`, true));
  });

  it.each([
    ['localhost:9092', 'connect ECONNREFUSED 127.0.0.1:9092', 'ECONNREFUSED'],
    ['f43be2dafb3b:9092', 'getaddrinfo ENOTFOUND f43be2dafb3b', 'ENOTFOUND'],
    ['kafka.prod.svc:9092', 'getaddrinfo EAI_AGAIN kafka.prod.svc', 'EAI_AGAIN'],
    ['10.0.0.9:9092', 'connect EHOSTUNREACH 10.0.0.9:9092', 'EHOSTUNREACH'],
    ['[__1]:9092', 'connect ECONNREFUSED ::1:9092', 'ECONNREFUSED'],
  ])('says of %s, which nobody has configured, where it comes from', (broker, message, code) => {
    const error = new kafkajs.KafkaJSConnectionError(`Connection error: ${message}`, { broker, code });
    const address = broker.replace('__', '::');
    expect(judge(error, setting)).toEqual(retry(`Kafka at ${address}: ${message}${ADVERTISED}`, true));
  });

  it.each([
    'Closed connection',
    'Connection error: read ECONNRESET',
    'Connection timeout',
    'Not connected',
    'Request SaslAuthenticate(key: 36, version: 1) timed out',
    'Request is not valid given the current SASL state',
  ])('takes no login for refused that ended by "%s"', (message) => {
    const hint = message.includes('SASL state')
      ? '; does the broker take logins on this port (sink.kafka.sasl)?'
      : '';
    for (const mechanism of ['PLAIN', 'SCRAM SHA256', 'SCRAM SHA512']) {
      const error = Object.assign(new Error(`SASL ${mechanism} authentication failed: ${message}`), {
        name: kafkajs.KafkaJSSASLAuthenticationError.name,
      });
      expect(judge(error, setting)).toEqual(
        retry(
          `Kafka at kafka-1:9092,kafka-2:9092: the login of user "agent" was interrupted: ${message}${hint}`,
          true,
        ),
      );
    }
    expect(judge(answered('ILLEGAL_SASL_STATE'), setting)).toMatchObject({
      mayPass: true,
      reason: expect.not.stringContaining('password'),
    });
  });

  it('takes a certificate that is not trusted or not readable for a matter of the operator', () => {
    const untrusted = new kafkajs.KafkaJSConnectionError('Connection error: self-signed certificate', {
      broker: 'b:1',
      code: 'DEPTH_ZERO_SELF_SIGNED_CERT',
    });
    expect(judge(untrusted, setting)).toEqual(
      retry(
        'Kafka at b:1: self-signed certificate; the file sink.kafka.tls.ca_file must hold the authority that signed ' +
          "the broker's certificate",
        false,
      ),
    );
    const unreadable = Object.assign(new Error("ENOENT: no such file or directory, open '/etc/ktc/ca.pem'"), {
      code: 'ENOENT',
    });
    expect(judge(unreadable, setting)).toMatchObject({ kind: 'retry', mayPass: false });
  });

  it.each([
    [
      'CERT_HAS_EXPIRED',
      "; the broker's certificate has to be renewed, unless the clock of this host is wrong",
      false,
    ],
    ['CERT_NOT_YET_VALID', '; compare the clocks of this host and of the broker', false],
    ['ERR_SSL_WRONG_VERSION_NUMBER', '; does the broker speak TLS on this port?', true],
  ])('says what to do about %s', (code, hint, mayPass) => {
    const error = new kafkajs.KafkaJSConnectionError('Connection error: as OpenSSL says', {
      broker: 'b:1',
      code,
    });
    expect(judge(error, setting)).toEqual(retry(`Kafka at b:1: as OpenSSL says${hint}`, mayPass));
  });

  it('explains a refused login with the user and without the password', () => {
    // The class is exported, its type declares no constructor of its own.
    const error = Object.assign(
      new Error('SASL PLAIN authentication failed: Authentication failed: Invalid username or password'),
      { name: kafkajs.KafkaJSSASLAuthenticationError.name },
    );
    expect(judge(error, setting)).toEqual(
      retry(
        'Kafka at kafka-1:9092,kafka-2:9092 refused the login of "agent" by SASL plain: ' +
          'Authentication failed: Invalid username or password; check mechanism, user name and password',
        false,
      ),
    );
  });

  it.each([TypeError, ReferenceError, SyntaxError, RangeError])(
    'a %o is a bug, however kafkajs wraps it',
    (Kind) => {
      const error = new Kind('x is not a function');
      expect(judge(error, setting)).toEqual({ kind: 'bug' });
      const wrapped = Object.assign(new kafkajs.KafkaJSNonRetriableError(error), { cause: error });
      expect(judge(wrapped, setting)).toEqual({ kind: 'bug' });
    },
  );

  it('reading past the end of an answer is the fault of a peer that does not speak Kafka', () => {
    let thrown: unknown;
    try {
      Buffer.alloc(0).readInt32BE();
    } catch (error) {
      thrown = error;
    }
    expect(judge(thrown, setting)).toMatchObject({ kind: 'retry', mayPass: true });
  });

  it('keeps reasons on one line', () => {
    expect(judge(new Error('first\n  second'), setting)).toEqual(
      retry('Kafka at kafka-1:9092,kafka-2:9092: first second', true),
    );
  });
});
