#!/bin/bash
# Boots one host of test/support/hosts.ts: systemd as PID 1 over a shared root, in namespaces of its own. Runs until the
# host is switched off or killed.
# usage: boot.sh NETWORK_NAMESPACE ROOT DIRECTORY HOST_NAME
set -euo pipefail
namespace=$1 root=$2 directory=$3 name=$4

if [[ ${KTC_HOST_STAGE:-} != inside ]]; then
  # systemd takes the control groups it is in for the top of each tree.
  # Read before the first move, which changes the rest.
  groups=$(</proc/self/cgroup)
  while IFS=: read -r _ controllers path; do
    tree=/sys/fs/cgroup/${controllers#name=}
    [[ -n $controllers ]] || tree=$(findmnt --noheadings --output TARGET --types cgroup2)
    [[ -d $tree$path ]] || continue
    group=${tree}${path%/}/$namespace
    mkdir -p "$group"
    echo "$group" >>"$directory/control-groups"
    # A new group of CPUs is empty, and so takes no process.
    for file in cpuset.cpus cpuset.mems; do
      [[ ! -e $group/$file || -n $(<"$group/$file") ]] || cat "${group%/*}/$file" >"$group/$file"
    done
    echo $$ >"$group/cgroup.procs"
  done <<<"$groups"
  export KTC_HOST_STAGE=inside
  exec nsenter --net="/run/netns/$namespace" \
    unshare --mount --uts --ipc --pid --cgroup --fork --kill-child "$0" "$@"
fi

mount --make-rprivate /
top=$directory/top
mkdir -p "$directory"/{upper,work} "$top"
mount -t overlay overlay -o "lowerdir=$root,upperdir=$directory/upper,workdir=$directory/work" "$top"
cd "$top"
mount -t proc proc proc
# Written by systemd-sysctl, else; these are the machine's.
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs sysfs sys
mount --rbind /sys/kernel/tracing sys/kernel/tracing
if [[ -d /sys/fs/cgroup/systemd ]]; then
  mount -t tmpfs tmpfs sys/fs/cgroup
  mkdir sys/fs/cgroup/systemd
  mount -t cgroup -o none,name=systemd cgroup sys/fs/cgroup/systemd
else
  mount -t cgroup2 cgroup2 sys/fs/cgroup
fi
mount -t tmpfs -o mode=755 tmpfs dev
for device in null zero full random urandom tty; do
  : >"dev/$device"
  mount --bind "/dev/$device" "dev/$device"
done
: >dev/console
mount --bind /dev/null dev/console
ln -s /proc/self/fd dev/fd
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts dev/pts
ln -s pts/ptmx dev/ptmx
mount -t tmpfs tmpfs dev/shm
mount -t tmpfs -o mode=755 tmpfs run
hostname "$name"
echo "$name" >etc/hostname
tr -d - </proc/sys/kernel/random/uuid >etc/machine-id
mkdir -p .outside
pivot_root . .outside
cd /
umount -l /.outside
rmdir /.outside
exec env -i container=ktc PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --log-target=journal --show-status=no
