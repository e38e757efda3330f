/**
 * Where a process belongs: its systemd unit and its container, by the control group that it is in. Whoever makes a control
 * group chooses its name, so it is taken apart at its slashes and compared whole; what is no such name is nothing.
 */
import { tryReadFile } from '../../shared/try-read.ts';

export interface Place {
  /** `nginx.service`, as journald has it; null where systemd has not made the control group. */
  readonly unit: string | null;
  /** As the runtime has it: 64 hexadecimal digits, or the name of an LXC container; null outside of containers. */
  readonly containerId: string | null;
}

export const NO_PLACE: Place = { unit: null, containerId: null };

/** systemd.unit(5): at most 255 bytes of these, and for what has processes of its own, one of these types. */
const UNIT = /^[A-Za-z0-9:_.\\@-]{1,247}\.(?:service|scope|socket|mount|swap)$/;
const SLICE = '.slice';
const ESCAPE = '_';

/** OCI runtimes give a container 32 random bytes. */
const CONTAINER_ID = /^[0-9a-f]{64}$/;
const ID_LENGTH = 64;
const SCOPE = '.scope';
/** The process that watches a container of podman or CRI-O, which is outside of it. */
const MONITOR = 'conmon-';
const LXC_NAME = /^[A-Za-z0-9_.-]{1,64}$/;
const LXC_PAYLOAD = 'lxc.payload.';

/** The unit as systemd finds it (`cg_path_get_unit`): the first name behind the slices. */
function unitOf(names: readonly string[]): string | null {
  const first = names.find((name) => !name.endsWith(SLICE)) ?? '';
  // systemd escapes the name of a unit that is also one of the kernel's files (`cg_escape`).
  const name = first.startsWith(ESCAPE) ? first.slice(1) : first;
  return UNIT.test(name) ? name : null;
}

/**
 * The container that a name is of, or null: `ID` (docker, containerd, kubepods with cgroupfs), `RUNTIME-ID.scope` (docker,
 * cri-containerd, crio, libpod with systemd), `SLICE:RUNTIME:ID` (containerd, a slice given to cgroupfs).
 */
function runtimeId(name: string): string | null {
  const isScope = name.endsWith(SCOPE);
  const whole = isScope ? name.slice(0, -SCOPE.length) : name;
  const id = whole.slice(-ID_LENGTH);
  const before = whole.slice(0, -ID_LENGTH);
  if (!CONTAINER_ID.test(id) || before.endsWith(MONITOR)) return null;
  return before === '' || before.endsWith(isScope ? '-' : ':') ? id : null;
}

/** `/lxc/NAME`, `/lxc.payload/NAME` (LXC 3), `/lxc.payload.NAME` (LXC 4). */
function lxcName(name: string, before: string | undefined): string | null {
  if (before === 'lxc' || before === 'lxc.payload') return LXC_NAME.test(name) ? name : null;
  if (!name.startsWith(LXC_PAYLOAD)) return null;
  const own = name.slice(LXC_PAYLOAD.length);
  return LXC_NAME.test(own) ? own : null;
}

/** Of containers in containers the innermost. */
function containerOf(names: readonly string[]): string | null {
  for (let index = names.length - 1; index >= 0; index--) {
    const found = runtimeId(names[index] ?? '') ?? lxcName(names[index] ?? '', names[index - 1]);
    if (found !== null) return found;
  }
  return null;
}

/** The path of a line of /proc/PID/cgroup, `NUMBER:CONTROLLERS:PATH`; null for another hierarchy. */
function pathOf(line: string, controllers: string): string | null {
  const start = line.indexOf(':') + 1;
  const end = line.indexOf(':', start);
  return start > 0 && end !== -1 && line.slice(start, end) === controllers ? line.slice(end + 1) : null;
}

/**
 * The place that /proc/PID/cgroup tells: of systemd's own hierarchy, where there is one (EL7, and others with cgroup v1),
 * else of cgroup v2. The kernel lets no line feed into a name (kernel/cgroup/cgroup.c, `cgroup_mkdir`).
 */
export function parseControlGroup(text: string): Place {
  const lines = text.split('\n');
  const find = (controllers: string) =>
    lines.map((line) => pathOf(line, controllers)).find((path) => path !== null && path !== '/');
  const path = find('name=systemd') ?? find('') ?? '';
  const names = path.split('/').filter((name) => name !== '' && name !== '..');
  return { unit: unitOf(names), containerId: containerOf(names) };
}

/** Reads the place of a process; null if it has ended. */
export function readPlace(pid: number): Place | null {
  const text = tryReadFile(`/proc/${pid}/cgroup`);
  return text === null ? null : parseControlGroup(text.toString('latin1'));
}
