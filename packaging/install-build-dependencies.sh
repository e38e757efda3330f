#!/bin/bash
# Brings what `make package` needs beyond npm: Debian packages. Does nothing, quickly, when all of them are there.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."
source scripts/debian-packages.sh

install_packages \
  libatomic1  `# the lock file's Node.js` \
  patchelf    `# the place of the packaged glibc` \
  musl-tools  `# notify-exec, which needs no library at all` \
  rpm gnupg   `# the RPM and its signature` \
  dpkg-dev xz-utils gzip tar
