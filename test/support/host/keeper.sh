#!/bin/sh
# Waits for the end of its input, which the kernel closes however the test run ends, kill -9 included; then removes the
# hosts of test/support/hosts.ts and all they had: processes, namespaces, control groups, ftrace instances, files.
# usage: keeper.sh DIRECTORY BRIDGE HOST_NAMESPACE...
trap '' HUP INT TERM
cat >/dev/null
directory=$1 bridge=$2
shift 2

for namespace do
  # A host's PID 1 takes its processes with it; a boot that has not come so far is in the network namespace too.
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    pids=$(ip netns pids "$namespace" 2>/dev/null)
    [ -n "$pids" ] || break
    # shellcheck disable=SC2086
    kill -9 $pids 2>/dev/null
    sleep 0.1
  done
  ip netns delete "$namespace"
  while read -r group; do
    # A process is in its groups until it has ended.
    for _ in 1 2 3 4 5 6 7 8 9 10; do
      [ -d "$group" ] || break
      find "$group" -depth -type d -exec rmdir {} + && break
      sleep 0.1
    done
  done <"$directory/$namespace/control-groups"
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    [ -d "/sys/kernel/tracing/instances/$namespace" ] || break
    rmdir "/sys/kernel/tracing/instances/$namespace" && break
    sleep 0.1
  done
done
ip link delete "$bridge"
rm -rf "$directory"
