#!/bin/bash
# Makes .cache/hosts/SUITE, the root of a Debian host with systemd as PID 1 and sshd, for test/support/hosts.ts:
# bullseye has Python 2.7 only, like EL7; bookworm has Python 3. Needs root and debootstrap; some 60 s and 300 MB each.
# Does nothing when that root was made by these very scripts.
set -euo pipefail

usage='usage: make-host-root.sh bullseye|bookworm'
suite=${1:?$usage}
case $suite in
  bullseye) python=python2.7 ;;
  bookworm) python=python3 ;;
  *) echo "$usage" >&2; exit 64 ;;
esac

cd "$(dirname "$(readlink -f "$0")")/.."
source scripts/host-root.sh
mkdir -p .cache/hosts
cache=$PWD/.cache/hosts
target=$cache/$suite
stamp=$(cat scripts/make-host-root.sh scripts/host-root.sh)
[[ -d $target && $(cat "$target.made-by" 2>/dev/null) == "$stamp" ]] && exit 0

# Beside the target, so that the last step is one rename and an interrupted run leaves no half root behind.
work=$(mktemp -d "$cache/.root-XXXXXX")
trap 'rm -rf "$work"' EXIT
root=$work/root

echo "making a root of Debian $suite (about a minute) in $target"
packages=systemd-sysv,dbus,openssh-server,iproute2,procps,kmod,xz-utils,rpm,$python
log=$work/debootstrap.log
debootstrap --variant=minbase --include="$packages" "$suite" "$root" >"$log" 2>&1 || { tail "$log" >&2; exit 69; }
prepare_root "$root" "$cache"

rm -rf "$target"
mv -T "$root" "$target"
echo "$stamp" >"$target.made-by"
