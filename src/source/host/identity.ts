/** Identifies the host and the boot that the records come from. */
import { hostname, release } from 'node:os';
import { DONE, type Result, refusal } from '../../shared/result.ts';
import { tryReadText } from '../../shared/try-read.ts';

const MACHINE_ID = '/etc/machine-id';
const BOOT_ID = '/proc/sys/kernel/random/boot_id';

export interface KernelIdentity {
  readonly hostName: string;
  /** /etc/machine-id; null where it holds no id. */
  readonly hostId: string | null;
  /** Empty where /proc does not show it. */
  readonly bootId: string;
  /** `uname -r`. */
  readonly release: string;
}

const ID_DIGITS = 32;

/**
 * The id in a machine-id file: 32 hexadecimal digits and a line feed, not all zeros (machine-id(5)). Null for all else:
 * images of hosts and containers have an empty file, or `uninitialized`, until they boot for the first time.
 */
export function parseMachineId(text: string): string | null {
  const id = text.endsWith('\n') ? text.slice(0, -1) : text;
  const isId = id.length === ID_DIGITS && /^[0-9a-fA-F]+$/.test(id) && !/^0+$/.test(id);
  return isId ? id.toLowerCase() : null;
}

/** Reads the identity. `hostName` replaces the system's name unless it is empty. */
export function readIdentity(hostName: string): KernelIdentity {
  return {
    hostName: hostName === '' ? hostname() : hostName,
    hostId: parseMachineId(tryReadText(MACHINE_ID) ?? ''),
    bootId: (tryReadText(BOOT_ID) ?? '').trim(),
    release: release(),
  };
}

/** What hosts are called that nobody has named. */
const NO_NAMES: ReadonlySet<string> = new Set(['', '(none)', 'localhost', 'localhost.localdomain']);

/** What makes this host hard to tell from others, one line each. */
export function doubtsOf({ hostName, hostId }: KernelIdentity): string[] {
  const doubts: string[] = [];
  if (hostId === null) {
    doubts.push(`host_id is null: ${MACHINE_ID} holds no machine id (systemd-machine-id-setup makes one)`);
  }
  if (NO_NAMES.has(hostName)) {
    doubts.push(
      `this host is called "${hostName}", as others are that nobody has named: hostnamectl set-hostname NAME, or set host.name`,
    );
  }
  return doubts;
}

/** Refuses a /proc that shows processes only (mount option subset=pid), or none at all. */
export function checkProc(): Result {
  if (tryReadText(BOOT_ID) !== null) return DONE;
  return refusal(`${BOOT_ID} cannot be read: the agent needs the whole /proc (mount -t proc proc /proc)`);
}
