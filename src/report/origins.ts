/** Numbers for hosts, places, peers, links and services, which are the rows of the cubes, in bounded memory. */
import { type Fields, fieldsOf, numberOf, textOf } from './fields.ts';
import { type HostRow, NO_PLACE, PLACE_LABELS, type Place, type ResetRow } from './model.ts';
import { createNames, REST } from './names.ts';

/** A watched place that talks to an address: numbers of both. */
export interface LinkKey {
  readonly place: number;
  readonly peer: number;
}

/** The side of a connection that accepts it: a peer, or the hosts of one place. The other number is null. */
export interface ServiceKey {
  readonly peer: number | null;
  readonly place: number | null;
  readonly port: number | null;
  /** The systemd unit that accepts, where its host has no label `service`. */
  readonly unit: string | null;
  /** The first program that was seen there. */
  comm: string | null;
}

export interface Origins {
  /** The host of an event, and its place. */
  placeOf(fields: Fields): { readonly host: number; readonly place: number };
  linkOf(origin: { readonly fields: Fields; readonly place: number }): number;
  serviceOf(origin: { readonly fields: Fields; readonly place: number }): number;
  resetOf(direction: ResetRow['direction'], state: string | null): number;
  nameOf(host: number): string;
  readonly hosts: readonly HostRow[];
  readonly places: readonly Place[];
  /** Addresses. */
  readonly peers: readonly string[];
  readonly links: readonly LinkKey[];
  readonly services: readonly ServiceKey[];
  readonly resets: readonly ResetRow[];
}

const LIMITS = {
  hosts: 200_000,
  places: 10_000,
  peers: 50_000,
  links: 100_000,
  services: 20_000,
  units: 4_000,
  resets: 100,
};

interface HostRecord extends HostRow {
  readonly place: number;
}

const NOBODY: HostRecord = { host: '', kernel: '', ...NO_PLACE, place: REST };
/** What services beyond the limit share, and events that name none. */
export const SHARED_SERVICE: ServiceKey = { peer: null, place: null, port: null, unit: null, comm: null };

/** Where the numbers of small parts find room in one key. */
const PORTS = 65_537;
const UNITS = 4_096;
const PLACES = 16_384;

export function createOrigins(): Origins {
  const hosts = createNames<string, HostRecord>(LIMITS.hosts, NOBODY);
  const places = createNames<string, Place>(LIMITS.places, NO_PLACE);
  const peers = createNames<string, string>(LIMITS.peers, '');
  const links = createNames<number, LinkKey>(LIMITS.links, { place: REST, peer: REST });
  const services = createNames<number, ServiceKey>(LIMITS.services, SHARED_SERVICE);
  /** Of systemd. */
  const units = createNames<string, string | null>(LIMITS.units, null);
  const resets = createNames<string, ResetRow>(LIMITS.resets, { direction: 'sent', state: null });

  function recordOf(fields: Fields, place: Place): HostRecord {
    const number = places.numberOf(JSON.stringify(place), () => place);
    return {
      host: textOf(fields['host']) ?? '',
      kernel: textOf(fields['kernel']) ?? '',
      ...place,
      place: number,
    };
  }

  function peerOf(fields: Fields): number {
    const address = textOf(fields['remote_address']);
    return address === null ? REST : peers.numberOf(address, () => address);
  }

  function serviceOfPeer(peer: number, port: number): number {
    return services.numberOf((peer * PORTS + port) * UNITS, () => ({ ...SHARED_SERVICE, peer, port }));
  }

  function serviceOfPlace(place: number, port: number, fields: Fields): number {
    // On the processor may be another process than the one that has the connection.
    const isOwner = fields['pid_origin'] === 'owner';
    const comm = isOwner ? textOf(fields['comm']) : null;
    const text = isOwner && places.values[place]?.service == null ? textOf(fields['unit']) : null;
    const unit = text === null ? REST : units.numberOf(text, () => text);
    const key = ((2 ** 20 + place) * PORTS + port) * UNITS + unit;
    const number = services.numberOf(key, () => {
      return { peer: null, place, port, unit: units.values[unit] ?? null, comm };
    });
    const service = services.values[number];
    if (service !== undefined && number !== REST) service.comm ??= comm;
    return number;
  }

  return {
    placeOf(fields) {
      const name = textOf(fields['host_id']) || textOf(fields['host']) || '';
      const labels = fieldsOf(fields['labels']) ?? {};
      const place = () =>
        Object.fromEntries(PLACE_LABELS.map((label) => [label, textOf(labels[label])])) as Place;
      const host = hosts.numberOf(name, () => recordOf(fields, place()));
      const known = hosts.values[host] ?? NOBODY;
      const isSame = PLACE_LABELS.every((label) => known[label] === textOf(labels[label]));
      if (!isSame && host !== REST) hosts.replace(host, recordOf(fields, place()));
      return { host, place: hosts.values[host]?.place ?? REST };
    },
    linkOf({ fields, place }) {
      const peer = peerOf(fields);
      return links.numberOf(peer * PLACES + place, () => ({ place, peer }));
    },
    /** An unknown side is taken for the one with the lower port: programs listen below the ports that the kernel gives out. */
    serviceOf({ fields, place }) {
      const [local, remote] = [numberOf(fields['local_port']), numberOf(fields['remote_port'])];
      const direction = textOf(fields['direction']);
      const isRemote =
        direction === 'active' || (direction === 'unknown' && (remote ?? PORTS) < (local ?? PORTS));
      const port = isRemote ? remote : local;
      if (direction === null || port === null) return REST;
      return isRemote ? serviceOfPeer(peerOf(fields), port) : serviceOfPlace(place, port, fields);
    },
    resetOf: (direction, state) => resets.numberOf(`${direction} ${state}`, () => ({ direction, state })),
    nameOf: (host) => hosts.values[host]?.host ?? '',
    hosts: hosts.values,
    places: places.values,
    peers: peers.values,
    links: links.values,
    services: services.values,
    resets: resets.values,
  };
}
