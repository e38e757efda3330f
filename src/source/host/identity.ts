/** Identifies the host and the boot that the records come from. */
import { readFileSync } from 'node:fs';
import { hostname, release } from 'node:os';

function firstLine(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return '';
  }
}

/** Reads the identity. `hostName` replaces the system's name unless it is empty. */
export function readIdentity(hostName: string): KernelIdentity {
  return {
    hostName: hostName === '' ? hostname() : hostName,
    hostId: firstLine('/etc/machine-id'),
    bootId: firstLine('/proc/sys/kernel/random/boot_id'),
    release: release(),
  };
}

export interface KernelIdentity {
  readonly hostName: string;
  /** /etc/machine-id; empty in containers that have no such file. */
  readonly hostId: string;
  readonly bootId: string;
  /** `uname -r`. */
  readonly release: string;
}
