/** A network namespace joined to the host by a link that can be cut and slowed: a place for servers behind a bad network. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { guardNamespaces, ownedName } from '../../src/demo/namespaces.ts';

const run = promisify(execFile);

export interface Namespace {
  readonly namespace: string;
  /** Kills what runs in it and removes it; happens by itself when this process ends. */
  close(): Promise<void>;
}

export interface Place extends Namespace {
  /** Its own, which the host can reach. */
  readonly address: string;
  /** Drops every packet of the link, both ways, without a word to either side. */
  cut(): Promise<void>;
  /** Drops what comes from the host faster than that: TCP finds out how much goes through. */
  slow(kilobytesPerSecond: number): Promise<void>;
  /** Drops this share of what comes from the host, 0 to 100, at random, one segment a packet. */
  lose(percent: number): Promise<void>;
  /** Drops nothing any more. */
  heal(): Promise<void>;
}

/** The beginning of a command line that runs the rest of it there, as the same process. */
export function enter(namespace: string): [string, ...string[]] {
  // Not `ip netns exec`, which takes /sys/kernel/tracing away.
  return ['nsenter', `--net=/run/netns/${namespace}`];
}

/** A network namespace with nothing in it but its loopback; `purpose`, lower-case letters, is in its name. */
export async function openNamespace(purpose: string): Promise<Namespace> {
  const namespace = `${await ownedName(purpose)}-a`;
  const close = guardNamespaces([namespace]);
  try {
    await run('ip', ['netns', 'add', namespace]);
    await run('ip', ['-n', namespace, 'link', 'set', 'lo', 'up']);
  } catch (error) {
    await close();
    throw error;
  }
  return { namespace, close };
}

/** Loads rules of nftables there, in the language of nft(8). */
export async function loadRules(namespace: string, ruleset: string): Promise<void> {
  const [command, ...args] = enter(namespace);
  const loading = run(command, [...args, 'nft', '-f', '-']);
  loading.child.stdin?.end(ruleset);
  await loading;
}

const DEVICE = 'ktc0';
let placesMade = 0;

export async function openPlace(): Promise<Place> {
  const { namespace, close } = await openNamespace('place');
  const ordinal = placesMade++;
  const subnet = (process.pid * 8 + (ordinal % 8)) % 16_384;
  const addressOf = (host: number) => `10.214.${subnet >> 6}.${((subnet & 63) << 2) + host}`;
  const [address, hostAddress] = [addressOf(2), addressOf(1)];
  const hostDevice = `ktc${process.pid}-${ordinal}`;

  const ip = (...words: string[]) => run('ip', words);
  const inside = (...words: string[]) => ip('-n', namespace, ...words);
  /** What happens to TCP that comes in, and to TCP that goes out. */
  const filter = (incoming: string, outgoing: string) =>
    loadRules(
      namespace,
      `table inet ktc
delete table inet ktc
table inet ktc {
  chain incoming {
    type filter hook input priority 0;
    iifname "${DEVICE}" meta l4proto tcp ${incoming}
  }
  chain outgoing {
    type filter hook output priority 0;
    oifname "${DEVICE}" meta l4proto tcp ${outgoing}
  }
}\n`,
    );

  try {
    await ip('link', 'add', hostDevice, 'type', 'veth', 'peer', 'name', DEVICE, 'netns', namespace);
    await inside('address', 'add', `${address}/30`, 'dev', DEVICE);
    await inside('link', 'set', DEVICE, 'up');
    await ip('address', 'add', `${hostAddress}/30`, 'dev', hostDevice);
    await ip('link', 'set', hostDevice, 'up');
  } catch (error) {
    await close();
    throw error;
  }
  return {
    namespace,
    address,
    cut: () => filter('drop', 'drop'),
    slow: (kilobytesPerSecond) =>
      filter(`limit rate over ${kilobytesPerSecond} kbytes/second burst 64 kbytes drop`, 'accept'),
    async lose(percent) {
      // Where a packet has many segments, one retransmit event stands for all of them, and the kernel counts each.
      await ip('link', 'set', hostDevice, 'gso_max_segs', '1');
      // Where it comes in: a sender sees a drop on its own way out as an error.
      await filter(`numgen random mod 100 < ${percent} drop`, 'accept');
    },
    heal: () => filter('accept', 'accept'),
    close,
  };
}
