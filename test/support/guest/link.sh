#!/bin/sh
# Two network namespaces of a guest, a and b, with a link between them, and traffic from a to b; to be sourced.

in_a() { ip netns exec a "$@"; }
in_b() { ip netns exec b "$@"; }
wait_for() { until "$@"; do usleep 20000; done; }
listens() { in_b ss -Htln "sport = :$1" | grep -q LISTEN; }
counters() { for name in a b; do ip netns exec $name nstat --zeros --noupdate --ignore --json > "/out/nstat-$name-$1"; done; }
is_quiet() {
  states='state established state syn-sent state syn-recv state fin-wait-1 state close-wait state closing state last-ack'
  for name in a b; do
    # shellcheck disable=SC2086
    [ -z "$(ip netns exec $name ss -Htn $states)" ] || return 1
  done
}

# What netem does to each direction, such as: delay 3ms loss 4%
treat_link() {
  for side in a b; do
    # shellcheck disable=SC2086
    ip netns exec $side tc qdisc replace dev v$side root netem $1 limit 100000
  done
}

open_link() {
  ip netns add a
  ip netns add b
  ip -n a link add va type veth peer name vb netns b
  for side in a b; do
    ip -n $side link set lo up
    # TCP builds segments for itself otherwise, whatever the device can: one record would stand for several. Before Linux
    # 4.16 it does so only for a device that can send them, and cannot be told.
    ip -n $side link set v$side gso_max_segs 1 2> /dev/null ||
      ip netns exec $side ethtool -K v$side tso off gso off gro off
    ip -n $side link set v$side up
  done
  treat_link "$1"
  ip -n a address add 192.0.2.1/24 dev va
  ip -n b address add 192.0.2.2/24 dev vb
  ip -n a address add 2001:db8::1/64 dev va nodad
  ip -n b address add 2001:db8::2/64 dev vb nodad
}

# CONNECTIONS each over IPv4, IPv6 and IPv4 through IPv6 sockets, CONCURRENCY at a time. The programs' logs are
# /out/client and /out/server.
exchange() {
  port=5001
  for target in 192.0.2.2 2001:db8::2 ::ffff:192.0.2.2; do
    # A packet that comes in while ip is about to become a program would give that program ip's name, for 5 s (tasks.ts).
    wait_for is_quiet
    mkfifo "/tmp/serve-$port"
    ip netns exec b /connections serve $target $port < "/tmp/serve-$port" >> /out/server &
    server=$!
    exec 6> "/tmp/serve-$port"
    wait_for listens $port
    in_a /connections request $target $port "$1" "$2" 4000 20000 >> /out/client || true
    exec 6>&-
    wait $server || true
    port=$((port + 1))
  done
  wait_for is_quiet
}
