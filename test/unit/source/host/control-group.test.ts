/** Units and containers by the control groups that systemd and the runtimes make. */
import { describe, expect, test } from 'vitest';
import { parseControlGroup, readPlace } from '../../../../src/source/host/control-group.ts';

const ID = '3f2a6c1d9e8b47f0a5c4d3e2f1a0b9c83f2a6c1d9e8b47f0a5c4d3e2f1a0b9c8';
const OTHER = 'a'.repeat(64);
const POD = 'kubepods-burstable-pod0b9c8a5c_4d3e_2f1a.slice';

/** Of cgroup v2. */
const unified = (path: string): string => `0::${path}\n`;
/** As on EL7. */
const ofEl7 = (path: string): string =>
  `11:cpuset:/\n10:memory:${path}\n4:cpu,cpuacct:${path}\n1:name=systemd:${path}\n`;

describe.each([
  ['cgroup v2', unified],
  ['cgroup v1 of EL7', ofEl7],
])('with %s', (_, text) => {
  test.each<[string, string | null, string | null]>([
    ['/', null, null],
    ['/init.scope', 'init.scope', null],
    ['/system.slice/nginx.service', 'nginx.service', null],
    ['/system.slice/nginx.service/workers', 'nginx.service', null],
    ['/system.slice/system-postgresql.slice/postgresql@15-main.service', 'postgresql@15-main.service', null],
    ['/system.slice/dev-disk-by\\x2dlabel-x.swap', 'dev-disk-by\\x2dlabel-x.swap', null],
    ['/system.slice/_cgroup.service', 'cgroup.service', null],
    ['/user.slice/user-1000.slice/session-3.scope', 'session-3.scope', null],
    ['/user.slice/user-1000.slice/user@1000.service/app.slice/app.service', 'user@1000.service', null],
    [`/docker/${ID}`, null, ID],
    [`/docker/${OTHER}/docker/${ID}`, null, ID],
    [`/system.slice/docker-${ID}.scope`, `docker-${ID}.scope`, ID],
    [`/kubepods/burstable/pod0b9c8a5c-4d3e-2f1a/${ID}`, null, ID],
    [`/kubepods.slice/${POD}/cri-containerd-${ID}.scope`, `cri-containerd-${ID}.scope`, ID],
    [`/kubepods.slice/${POD}/crio-${ID}.scope`, `crio-${ID}.scope`, ID],
    [`/kubepods.slice/${POD}/crio-conmon-${ID}.scope`, `crio-conmon-${ID}.scope`, null],
    [`/system.slice/containerd.service/${POD}:cri-containerd:${ID}`, 'containerd.service', ID],
    [`/machine.slice/libpod-${ID}.scope/container`, `libpod-${ID}.scope`, ID],
    [`/machine.slice/libpod-conmon-${ID}.scope`, `libpod-conmon-${ID}.scope`, null],
    ['/lxc/web-1', null, 'web-1'],
    ['/lxc.payload/web-1/system.slice/nginx.service', null, 'web-1'],
    ['/lxc.payload.web-1/init.scope', null, 'web-1'],
    ['/lxc.monitor.web-1', null, null],
    // What a process sees that is in a control group namespace of its own.
    ['/../../system.slice/sshd.service', 'sshd.service', null],
    // No names of these kinds.
    [`/docker/${ID.slice(1)}`, null, null],
    [`/docker/${ID.toUpperCase()}`, null, null],
    [`/x${ID}`, null, null],
    ['/system.slice/evil"\u0001.service', null, null],
    [`/system.slice/${'x'.repeat(300)}.service`, null, null],
    ['/system.slice/nginx.service (deleted)', null, null],
  ])('%s', (path, unit, containerId) => {
    expect(parseControlGroup(text(path))).toEqual({ unit, containerId });
  });
});

test("systemd's own hierarchy is preferred, and the other one taken where it says nothing", () => {
  const both = (systemd: string, other: string) => `1:name=systemd:${systemd}\n0::${other}\n`;
  expect(parseControlGroup(both('/system.slice/a.service', '/')).unit).toBe('a.service');
  expect(parseControlGroup(both('/', '/system.slice/b.service')).unit).toBe('b.service');
  expect(parseControlGroup('1:name=systemd:/system.slice/a:b.service\n').unit).toBe('a:b.service');
});

test.each(['', 'x', ':', '0:', '0::', '::::', '1:name=systemd'])('%j tells nothing', (text) => {
  expect(parseControlGroup(text)).toEqual({ unit: null, containerId: null });
});

test('a process that is not there has no place, and this one has one', () => {
  expect(readPlace(2 ** 22 + 1)).toBeNull();
  expect(readPlace(process.pid)).toMatchObject({});
});
