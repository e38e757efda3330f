/** Which host and which boot of which kernel the records come from. */
import { readFileSync } from 'node:fs';
import { hostname, release } from 'node:os';

function firstLine(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return '';
  }
}

/** `hostName` overrides the system's; /etc/machine-id is missing in some containers and then empty. */
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
  /** /etc/machine-id. */
  readonly hostId: string;
  readonly bootId: string;
  /** `uname -r`. */
  readonly release: string;
}
