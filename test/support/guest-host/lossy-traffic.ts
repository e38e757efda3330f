/** Traffic over a lossy link between two network namespaces of a guest host, and what its kernel counts of it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { GuestHost } from '../guest-host.ts';

const LINK = readFileSync(join(import.meta.dirname, '../guest/link.sh'), 'utf8');
const ECHO = readFileSync(join(import.meta.dirname, 'echo.py'), 'utf8');
const TARGET = '192.0.2.2 5001';
const REQUEST = `ip netns exec a python3 /root/echo.py request ${TARGET}`;

export interface Counted {
  /** Inodes of the two namespaces, as in an event's `netns`. */
  readonly netns: readonly number[];
  /** Segments that both have sent again since the host was booted. */
  readonly retransmits: number;
}

/** Opens the link and a server behind it. A reboot ends both. */
export async function openLink({ run }: GuestHost, name: string): Promise<void> {
  await run(
    name,
    `cat > /root/echo.py <<'END'\n${ECHO}END
    ${LINK}
    open_link 'delay 3ms loss 6%'
    systemd-run --quiet --unit echo ip netns exec b python3 /root/echo.py serve ${TARGET}
    until [ -n "$(in_b ss -Htln 'sport = :5001')" ]; do sleep 0.2; done`,
  );
}

/** Makes connections one after another, and waits until nothing of them can be sent any more. */
export async function makeConnections({ run }: GuestHost, name: string, count: number): Promise<void> {
  await run(name, `${LINK}\n${REQUEST} ${count}\nuntil is_quiet; do sleep 0.2; done`);
}

/** Makes connections one after another until the unit `traffic` is stopped. */
export async function startTraffic({ run }: GuestHost, name: string): Promise<void> {
  await run(name, `systemd-run --quiet --unit traffic sh -c 'while :; do ${REQUEST} 20; done'`);
}

/** What the kernel says of the link; only the traffic of this file is there. */
export async function countedByKernel({ run }: GuestHost, name: string): Promise<Counted> {
  const output = await run(
    name,
    `for side in a b; do
       ip netns exec $side readlink /proc/self/ns/net | tr -dc 0-9; echo
       ip netns exec $side awk '$1 == "Tcp:" { count = $13 } END { print count }' /proc/net/snmp
     done`,
  );
  const [netnsA = 0, sentByA = 0, netnsB = 0, sentByB = 0] = output.split('\n').map(Number);
  return { netns: [netnsA, netnsB], retransmits: sentByA + sentByB };
}
