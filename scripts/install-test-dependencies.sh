#!/bin/bash
# Brings what the system tests need beyond npm: Debian packages, the jars of a real Kafka broker, and a real
# OpenTelemetry Collector.
# Does nothing, quickly, when all of it is there.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."

packages=(
  libatomic1                           # the lock file's Node.js
  nftables iproute2 ethtool procps     # lossy links between network namespaces
  openssl                              # certificates
  kcat rsyslog rsyslog-kafka bpftrace  # independent consumer, and the others to measure against
  qemu-system-x86 busybox-static xz-utils  # guests with other kernels
  gcc libc6-dev make libelf1 sparse kmod linux-perf  # traffic programs; the module for those kernels, and its stress
  default-jre-headless maven           # the Kafka broker
  shellcheck
)

missing_packages() {
  local package
  for package in "${packages[@]}"; do
    # Another Java than Debian's default is as good.
    [[ $package == default-jre-headless ]] && command -v java >/dev/null && continue
    [[ $(dpkg-query --show --showformat '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] ||
      echo "$package"
  done
}

install_packages() {
  local -a missing
  mapfile -t missing < <(missing_packages)
  ((${#missing[@]})) || return 0
  if ! command -v apt-get >/dev/null; then
    echo "missing, install them with this system's package manager: ${missing[*]}" >&2
    return 69
  fi
  if ((EUID != 0)); then
    echo "missing packages, run as root: apt-get install --no-install-recommends ${missing[*]}" >&2
    return 69
  fi
  echo "installing ${missing[*]}"
  local -a install=(apt-get install --yes --no-install-recommends -qq "${missing[@]}")
  export DEBIAN_FRONTEND=noninteractive
  # Lists that are missing or out of date are cured by an update, which is slow and rarely needed. No service
  # of these packages is to start on the tester's machine.
  RUNLEVEL=1 "${install[@]}" >/dev/null || { apt-get update -qq && RUNLEVEL=1 "${install[@]}" >/dev/null; }
}

install_kafka() {
  local pom=test/support/kafka/pom.xml libraries=.cache/kafka/libs
  cmp --silent "$pom" .cache/kafka/pom.xml && [[ -d $libraries ]] && return 0
  echo "fetching Kafka's jars (about 55 MB) into $libraries"
  mkdir -p .cache/kafka
  # Beside the target, so that an interrupted run leaves no half set behind; the copied pom.xml is the mark of success.
  rm -rf "$libraries" "$libraries.new"
  mvn --quiet --batch-mode --file "$pom" dependency:copy-dependencies -DoutputDirectory="$PWD/$libraries.new"
  mv "$libraries.new" "$libraries"
  cp "$pom" .cache/kafka/pom.xml
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

install_packages
install_kafka
build_collector
