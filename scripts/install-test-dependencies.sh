#!/bin/bash
# Brings what the tests need beyond npm: Debian packages, the jars of a real Kafka broker and of a real OpenSearch node, a
# real OpenTelemetry Collector, Ansible, and the roots of the hosts that it manages.
# Does nothing, quickly, when all of it is there.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."
source scripts/debian-packages.sh

packages=(
  libatomic1                           # the lock file's Node.js
  nftables iproute2 ethtool procps     # lossy links between network namespaces
  openssl                              # certificates
  kcat jq rsyslog rsyslog-kafka bpftrace  # independent consumers, and the others to measure against
  qemu-system-x86 busybox-static xz-utils  # guests with other kernels
  gcc libc6-dev make libelf1 sparse kmod linux-perf  # traffic programs; the module for those kernels, and its stress
  default-jdk-headless maven           # the Kafka broker, the OpenSearch node
  rsyslog-elasticsearch prometheus curl  # a way from Kafka into OpenSearch; promtool for the alert rules
  qemu-user-static                     # the packaged Node.js on an old CPU
  debootstrap netcat-openbsd openssh-client python3-venv  # hosts, and Ansible to manage them; ClickHouse's engine
  chromium fonts-dejavu-core           # the page of ktc report
  shellcheck
)

# fetch_jars NAME WHAT: the jars of test/support/NAME/pom.xml into .cache/NAME/libs.
fetch_jars() {
  local pom=test/support/$1/pom.xml libraries=.cache/$1/libs
  cmp --silent "$pom" ".cache/$1/pom.xml" && [[ -d $libraries ]] && return 0
  echo "fetching the jars of $2 (up to 55 MB) into $libraries"
  mkdir -p ".cache/$1"
  # Beside the target, so that an interrupted run leaves no half set behind; the copied pom.xml is the mark of success.
  rm -rf "$libraries" "$libraries.new"
  mvn --quiet --batch-mode --file "$pom" dependency:copy-dependencies -DoutputDirectory="$PWD/$libraries.new"
  mv "$libraries.new" "$libraries"
  cp "$pom" ".cache/$1/pom.xml"
}

build_collector() {
  local source=test/support/collector target=.cache/collector stamp
  # Of a Go that is there: Debian's is too old for the collector, and without it only the collector's tests are skipped.
  command -v go >/dev/null || { echo "no Go, no OpenTelemetry Collector: its tests will be skipped"; return 0; }
  stamp=$(cat "$source"/{main.go,go.mod,go.sum} | sha256sum)
  [[ -x $target/collector && $(cat "$target/stamp" 2>/dev/null) == "$stamp" ]] && return 0
  echo "building the OpenTelemetry Collector (2 to 4 minutes) into $target"
  mkdir -p "$target"
  # An interrupted build leaves no stamp, and a running collector its file.
  rm -f "$target/stamp" "$target/collector"
  go -C "$source" build -buildvcs=false -trimpath -ldflags='-s -w' -o "$PWD/$target/collector" .
  echo "$stamp" >"$target/stamp"
}

# install_ansible NAME: what test/support/host/NAME.txt lists into .cache/NAME/venv.
install_ansible() {
  local requirements=test/support/host/$1.txt target=.cache/$1
  cmp --silent "$requirements" "$target/requirements.txt" && return 0
  echo "installing $1 into $target"
  rm -rf "$target"
  mkdir -p "$target"
  # Debian's Python: another one of the tester's may be removed. The copied list is the mark of success.
  /usr/bin/python3 -m venv "$target/venv"
  "$target/venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$requirements"
  cp "$requirements" "$target/requirements.txt"
}

make_host_roots() {
  ((EUID == 0)) || { echo "not root, no roots of hosts: their tests will be skipped"; return 0; }
  scripts/make-host-root.sh bullseye
  scripts/make-host-root.sh bookworm
}

# ClickHouse's engine as a Python package, at the versions of the file. Nothing else of what chdb asks for is needed.
install_chdb() {
  local engine=$1 versions=test/support/chdb/$1.txt target=.cache/chdb/$1
  cmp --silent "$versions" "$target/versions" && return 0
  echo "fetching ClickHouse's engine $engine (about 150 MB) into $target"
  rm -rf "$target"
  /usr/bin/python3 -m venv "$target"
  "$target/bin/pip" install --quiet --disable-pip-version-check --no-deps --requirement "$versions"
  # The mark of success.
  cp "$versions" "$target/versions"
}

install_packages "${packages[@]}"
packaging/install-build-dependencies.sh
fetch_jars kafka Kafka
fetch_jars kafka-2.8 'Kafka 2.8'
fetch_jars kafka-1.1 'Kafka 1.1'
fetch_jars opensearch OpenSearch
build_collector
install_ansible ansible
install_ansible ansible-newer
make_host_roots
install_chdb 25.8
install_chdb 26.9
