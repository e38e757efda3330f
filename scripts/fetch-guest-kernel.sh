#!/bin/bash
# Puts Debian's newest cloud kernel of one series into .cache/guest/<series>, ready for test/support/guest.ts:
# boot/vmlinuz-<release>, lib/modules/<release> with plain .ko files and a modules.dep, in lib/modules/<release>/build the
# headers to build modules with, and in packages/ what dpkg needs to install it (scripts/make-guest-root.sh).
# Installs nothing; needs apt, dpkg and busybox. Does nothing when the kernel is already there.
set -euo pipefail

usage='usage: fetch-guest-kernel.sh SERIES    (for example 6.1 or 6.12)'
series=${1:?$usage}
[[ $series =~ ^[0-9]+\.[0-9]+$ ]] || { echo "$usage" >&2; exit 64; }

mkdir -p "$(dirname "$(readlink -f "$0")")/../.cache/guest"
cache=$(cd "$(dirname "$(readlink -f "$0")")/../.cache/guest" && pwd)
target=$cache/$series
[[ ! -d $target/packages ]] || exit 0

# Beside the target, so that the last step is one rename and an interrupted run leaves no half kernel behind.
work=$(mktemp -d "$cache/.fetch-XXXXXX")
trap 'rm -rf "$work"' EXIT

newest_image() {
  apt-cache pkgnames "linux-image-$series" |
    grep -E "^linux-image-${series/./\\.}\.[0-9][0-9a-z.+-]*-cloud-amd64\$" | sort -V | tail -n 1
}

# The headers of a kernel lie in three packages.
header_packages() {
  local headers=${1/image/headers}
  echo "$headers"
  apt-cache show --no-all-versions "$headers" |
    sed -n 's/^Depends: //p' | tr ',' '\n' | grep -oE 'linux-(headers-[^ ]*-common|kbuild-[^ ]*)'
}

download_newest() {
  local image
  local -a packages
  image=$(newest_image) || return 1
  mapfile -t packages < <(echo "$image" && header_packages "$image")
  ((${#packages[@]} == 4)) || return 1
  echo "fetching ${packages[*]}" >&2
  (cd "$work" && apt-get download -qq -o APT::Sandbox::User=root "${packages[@]}")
}

# Lists that are missing or name a package its repository has replaced since are cured by an update.
if ! download_newest; then
  apt-get update -qq
  download_newest || { echo "apt has no cloud kernel of series $series" >&2; exit 69; }
fi

root=$work/root
mkdir "$root"
for package in "$work"/*.deb; do dpkg -x "$package" "$root"; done
release=$(basename "$root"/boot/vmlinuz-*)
release=${release#vmlinuz-}

# busybox in the guest loads plain modules only, and the package leaves modules.dep to its installation.
find "$root/lib/modules" -name '*.ko.xz' -exec unxz {} +
busybox depmod -b "$root" "$release"

# The headers expect to be installed.
sed -i "s#/usr/src/#$target/usr/src/#" "$root/usr/src/linux-headers-$release"/{Makefile,.kernelvariables}
ln -sfn "../../../usr/src/linux-headers-$release" "$root/lib/modules/$release/build"

mkdir "$root/packages"
mv "$work"/*.deb "$root/packages"

# A kernel without its packages is of an earlier version of this script.
rm -rf "$target"
mv -T "$root" "$target"
