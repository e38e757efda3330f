/**
 * kafkajs cuts `host:port` at the first colon, so an IPv6 address in brackets is given to it with
 * underscores for colons: `[::1]:9092` as `[__1]:9092`. Host names are never in brackets.
 */

export function toKafkajs(broker: string): string {
  return broker.replace(/^\[.*\]/, (address) => address.replaceAll(':', '_'));
}

/** The reverse, for what kafkajs calls a broker (`host:port`). */
export function fromKafkajs(broker: string): string {
  return broker.replace(/^\[.*\]/, (address) => address.replaceAll('_', ':'));
}

/** The host to connect to, without brackets. */
export function hostOf(kafkajsHost: string): string {
  return fromKafkajs(kafkajsHost).replace(/^\[(.*)\]$/, '$1');
}
