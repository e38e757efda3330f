/** Community ID v1: the flow hash that Zeek, Suricata and packet captures also carry (corelight/community-id-spec). */
import { sha1 } from './sha1.ts';

const IPPROTO_TCP = 6;
/** seed (2) + two addresses + protocol + padding + two ports (2 each); by the length of an address. */
const messages = { 4: Buffer.alloc(16), 16: Buffer.alloc(40) };

/**
 * Community ID of a TCP flow with the default seed 0. Both directions have the same: the smaller endpoint, by
 * address and then port, comes first.
 *
 * @param bytes holds both addresses, in network order, at `local` and `remote`
 * @param length of one address: 4 or 16
 */
export function communityId(
  bytes: Uint8Array,
  local: number,
  remote: number,
  length: 4 | 16,
  localPort: number,
  remotePort: number,
): string {
  let order = 0;
  for (let index = 0; index < length && order === 0; index++) {
    order = (bytes[local + index] as number) - (bytes[remote + index] as number);
  }
  if (order === 0) order = localPort - remotePort;
  const localFirst = order <= 0;
  const first = localFirst ? local : remote;
  const second = localFirst ? remote : local;

  const message = messages[length];
  let at = 2;
  for (let index = 0; index < length; index++) message[at++] = bytes[first + index] as number;
  for (let index = 0; index < length; index++) message[at++] = bytes[second + index] as number;
  message[at++] = IPPROTO_TCP;
  message[at++] = 0;
  at = message.writeUInt16BE(localFirst ? localPort : remotePort, at);
  message.writeUInt16BE(localFirst ? remotePort : localPort, at);
  return `1:${sha1(message).toString('base64')}`;
}
