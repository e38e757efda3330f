/** Packets, errors and drops of the network interfaces. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';

type Counts = Readonly<Record<string, number>>;

/** A node of a container cluster has one more interface for each container. */
const MAX_INTERFACES = 128;

/** The columns of /proc/net/dev (net/core/net-procfs.c, `dev_seq_printf_stats`) that are kept. */
const COLUMNS = [
  [0, 'rx_bytes'],
  [1, 'rx_packets'],
  [2, 'rx_errors'],
  [3, 'rx_dropped'],
  [8, 'tx_bytes'],
  [9, 'tx_packets'],
  [10, 'tx_errors'],
  [11, 'tx_dropped'],
] as const;

/** What /proc/net/dev only has as a part of rx_errors and rx_dropped. */
const MORE_IN_SYSFS = ['rx_crc_errors', 'rx_missed_errors'] as const;

/** By name, without `lo`. `rx_dropped` has the missed ones in it, as the kernel adds them up there. */
export function parseDevices(text: string): Map<string, Counts> {
  const devices = new Map<string, Counts>();
  for (const line of text.split('\n')) {
    // No name has a colon (net/core/dev.c, `dev_valid_name`). EL7 prints no space behind it where the number is long.
    const colon = line.indexOf(':');
    const name = line.slice(0, Math.max(0, colon)).replace(/^ +/, '');
    if (name === '' || name === 'lo') continue;
    const values = line
      .slice(colon + 1)
      .split(/ +/)
      .filter((word) => word !== '')
      .map(Number);
    const counts = COLUMNS.flatMap(([column, counter]) => {
      const value = values[column];
      return Number.isSafeInteger(value) ? [[counter, value]] : [];
    });
    if (counts.length > 0) devices.set(name, Object.fromEntries(counts));
  }
  return devices;
}

/** The kernel takes for a letter what Unicode takes for a space, such as U+2003. A published name has no spaces. */
const published = (name: string): string => name.replace(/\s/gu, '\ufffd');

/** Throws the error of the system where `devices` cannot be read; `sysfs` adds what it has. */
export function readInterfaces(devices: string, sysfs: string): Record<string, Counts> {
  const all = parseDevices(readFileSync(devices, 'utf8'));
  const names = all.size <= MAX_INTERFACES ? [...all.keys()] : hardwareFirst([...all.keys()], sysfs);
  const isSame = isSameNamespace(all, sysfs);
  return Object.fromEntries(
    names
      .slice(0, MAX_INTERFACES)
      .map((name) => [
        published(name),
        { ...all.get(name), ...(isSame && readMore(`${sysfs}/${name}/statistics`)) },
      ]),
  );
}

function hardwareFirst(names: readonly string[], sysfs: string): string[] {
  const isHardware = (name: string) => existsSync(`${sysfs}/${name}/device`);
  return [...names.filter(isHardware), ...names.filter((name) => !isHardware(name))];
}

/** /proc/net is of the namespace of this process, /sys of the one that it was mounted in: they may differ. */
function isSameNamespace(devices: ReadonlyMap<string, unknown>, sysfs: string): boolean {
  try {
    const shown = readdirSync(sysfs).filter((name) => name !== 'lo' && name !== 'bonding_masters');
    return shown.length === devices.size && shown.every((name) => devices.has(name));
  } catch {
    return false;
  }
}

function readMore(directory: string): Counts {
  return Object.fromEntries(
    MORE_IN_SYSFS.flatMap((name) => {
      try {
        return [[name, Number(readFileSync(`${directory}/${name}`, 'latin1'))]];
      } catch {
        // The interface has gone since, or its driver does not say.
        return [];
      }
    }),
  );
}
