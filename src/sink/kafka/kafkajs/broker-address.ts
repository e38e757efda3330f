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

/** The parts of what kafkajs calls a broker, the host without brackets. */
export function splitAddress(broker: string): { host: string; port: number } {
  const colon = broker.lastIndexOf(':');
  return { host: hostOf(broker.slice(0, colon)), port: Number(broker.slice(colon + 1)) };
}
