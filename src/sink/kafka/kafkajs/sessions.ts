/**
 * Lets kafkajs 2.2.4 renew a login in time. A broker may end sessions (`connections.max.reauth.ms`, KIP-368); kafkajs
 * logs in again 10 s before, whatever their length, so one of less than 10 s never begins: every request logs in again,
 * which the broker refuses within a second of the last time. Java's client takes 85 to 95 % of the session.
 */
import Connection from 'kafkajs/src/network/connection.js';

const SHARE_OF_SESSION = 0.9;
/** A broker takes no login within a second of the last one (KIP-368). */
const SHORTEST_MS = 1_100;

Object.defineProperty(Connection.prototype, 'reauthenticationThreshold', {
  /** How long before the end of the session kafkajs logs in again, at its next request, in milliseconds. */
  get(this: Connection): number {
    const sessionMs = Number(this.sessionLifetime.toString());
    return sessionMs - Math.max(SHORTEST_MS, Math.floor(sessionMs * SHARE_OF_SESSION));
  },
  // Its constructor sets 10 s.
  set() {},
});
