#!/bin/bash
# Records this kernel's TCP events on lossy traffic over IPv4, IPv6 and IPv4-mapped IPv6, with resets, for the tests and
# for `ktc replay` without root. The traffic has a network namespace of its own; what else this host does with TCP at
# the same time is recorded too, so look at the result before it leaves the machine.
# Usage: make-host-recording.sh [SECONDS]
set -euo pipefail

repository=$(cd "$(dirname "$0")/.." && pwd)
seconds=${1:-6}
output=$repository/test/recordings/linux-$(uname -r | cut -d. -f1,2).ktcrec
largest=$((300 * 1024))
namespace=ktc-recording-$$
node=$repository/node_modules/.bin/node

[[ $EUID -eq 0 ]] || { echo 'recording kernel events needs root' >&2; exit 77; }
[[ -x $repository/bin/ktc ]] || { echo 'bin/ktc is not there; run make build first' >&2; exit 69; }

traffic=
remove() {
  [[ -z $traffic ]] || kill "$traffic" 2>/dev/null || true
  ip netns delete "$namespace" 2>/dev/null || true
}
trap remove EXIT

ip netns add "$namespace"
ip -netns "$namespace" link set lo mtu 1500 up
ip -netns "$namespace" address add 192.0.2.1/32 dev lo
ip -netns "$namespace" address add 2001:db8::1/128 dev lo nodad
ip netns exec "$namespace" nft -f - <<'RULES'
table inet loss {
  chain input {
    type filter hook input priority 0
    meta l4proto tcp numgen random mod 100 < 4 drop
  }
}
RULES

ip netns exec "$namespace" "$node" --no-warnings "$repository/test/support/guest/traffic.ts" 192.0.2.1 2001:db8::1 &
traffic=$!
mkdir -p "$(dirname "$output")"
"$repository/bin/ktc" record --duration "$seconds" --output "$output"

chmod 644 "$output"
size=$(stat --format %s "$output")
if ((size > largest)); then
  echo "$output has $size bytes, more than the $largest that a test recording may have: record for fewer seconds" >&2
  exit 1
fi
