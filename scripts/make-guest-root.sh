#!/bin/bash
# Makes .cache/hosts/guest, the root of a Debian 12 host for test/support/guest-host.ts, which boots it in QEMU: systemd, sshd,
# Python 3, a compiler, DKMS, and the kernel 6.1 with its headers. /root/kernel-6.12 has the packages of the next kernel, which
# a test installs; what those two need is installed. Needs root and debootstrap; some 2 minutes and 800 MB.
# Does nothing when that root was made by these very scripts of these very kernels.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."
source scripts/host-root.sh

for series in 6.1 6.12; do scripts/fetch-guest-kernel.sh "$series"; done
kernels=.cache/guest
mkdir -p .cache/hosts
cache=$PWD/.cache/hosts
target=$cache/guest
stamp=$(cat scripts/make-guest-root.sh scripts/host-root.sh; ls "$kernels"/{6.1,6.12}/packages)
[[ -d $target && $(cat "$target.made-by" 2>/dev/null) == "$stamp" ]] && exit 0

# Beside the target, so that the last step is one rename and an interrupted run leaves no half root behind.
work=$(mktemp -d "$cache/.root-XXXXXX")
trap 'rm -rf "$work"' EXIT
root=$work/root
log=$work/log
# Runs a program, and shows what it said where it fails.
quietly() { "$@" >"$log" 2>&1 || { tail "$log" >&2; exit 69; }; }

echo "making the root of a guest with Debian bookworm (about 2 minutes) in $target"
packages=systemd-sysv,dbus,openssh-server,iproute2,procps,kmod,xz-utils,python3
# What the packages of the kernels, and DKMS, depend on.
packages+=,dkms,gcc,libc6-dev,make,initramfs-tools,linux-base,linux-compiler-gcc-12-x86,pahole,libelf1,libssl3
quietly debootstrap --variant=minbase --include="$packages" bookworm "$root"

# install_kernel PACKAGE…: without an initramfs, because the guest is booted with one that test/support/guest-host.ts makes.
install_kernel() {
  cp "$@" "$root/root"
  INITRD=No quietly chroot "$root" sh -c 'dpkg --install /root/*.deb && rm /root/*.deb'
}
install_kernel "$kernels"/6.1/packages/*.deb
install_kernel "$kernels"/6.12/packages/linux-{headers-*-common,kbuild-*}_*.deb
install -d "$root/root/kernel-6.12"
cp "$kernels"/6.12/packages/linux-{image,headers}-*-cloud-amd64_*.deb "$root/root/kernel-6.12"

prepare_root "$root" "$cache"

rm -rf "$target"
mv -T "$root" "$target"
echo "$stamp" >"$target.made-by"
