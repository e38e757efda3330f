#!/bin/bash
# Makes .cache/hosts/SUITE, the root of a Debian host with systemd as PID 1 and sshd, for test/support/host.ts:
# bullseye has Python 2.7 only, like EL7; bookworm has Python 3. Needs root and debootstrap; some 60 s and 300 MB each.
# Does nothing when that root was made by this very script.
set -euo pipefail

usage='usage: make-host-root.sh bullseye|bookworm'
suite=${1:?$usage}
case $suite in
  bullseye) python=python2.7 ;;
  bookworm) python=python3 ;;
  *) echo "$usage" >&2; exit 64 ;;
esac

script=$(readlink -f "$0")
mkdir -p "$(dirname "$script")/../.cache/hosts"
cache=$(cd "$(dirname "$script")/../.cache/hosts" && pwd)
target=$cache/$suite
cmp --silent "$script" "$target.made-by" && [[ -d $target ]] && exit 0

# Beside the target, so that the last step is one rename and an interrupted run leaves no half root behind.
work=$(mktemp -d "$cache/.root-XXXXXX")
trap 'rm -rf "$work"' EXIT
root=$work/root

echo "making a root of Debian $suite (about a minute) in $target"
packages=systemd-sysv,dbus,openssh-server,iproute2,procps,kmod,xz-utils,rpm,$python
log=$work/debootstrap.log
debootstrap --variant=minbase --include="$packages" "$suite" "$root" >"$log" 2>&1 || { tail "$log" >&2; exit 69; }

rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* "$root"/usr/share/{doc,locale,man}/*
# A host has no devices, clock and network of its own to look after, and nothing to update.
for unit in systemd-udevd.service systemd-udevd-kernel.socket systemd-udevd-control.socket systemd-timesyncd.service \
  systemd-modules-load.service getty.target console-getty.service e2scrub_reap.service \
  apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer fstrim.timer systemd-tmpfiles-clean.timer; do
  ln -sf /dev/null "$root/etc/systemd/system/$unit"
done
install -d -m 0700 "$root/root/.ssh"
[[ -f $cache/ssh-key ]] || ssh-keygen -q -t ed25519 -N '' -C 'ktc test hosts' -f "$cache/ssh-key"
install -m 0600 "$cache/ssh-key.pub" "$root/root/.ssh/authorized_keys"
printf 'UseDNS no\nMaxStartups 100\nMaxSessions 100\n' >>"$root/etc/ssh/sshd_config"

rm -rf "$target"
mv -T "$root" "$target"
cp "$script" "$target.made-by"
