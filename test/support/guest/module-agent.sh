#!/bin/sh
# The agent with tcp_trace.ko in a guest, on lossy traffic between two network namespaces. Leaves in /out what it saw and
# what others saw of the same: nstat, ss, the traffic programs' own logs, the namespaces' inodes, the kernel log.
# Usage: module-agent.sh CONNECTIONS
set -eu
connections=$1
# shellcheck source-path=SCRIPTDIR source=link.sh
. /link.sh
ktc() { node /ktc.cjs "$@"; }
has_bytes() { [ "$(wc -c < "$1")" -ge "$2" ]; }
is_connected() { in_a ss -Htn state established "dport = :$1" | grep -q ":$1"; }

open_link 'delay 3ms'
for side in a b; do stat -L -c %i /run/netns/$side > /out/netns-$side; done

# A connection that is older than the agent, held open by two ends of which each has a pipe for its input.
mkfifo /tmp/old-server /tmp/old-client
ip netns exec b nc -l -p 7001 < /tmp/old-server > /dev/null &
old_server=$!
exec 3> /tmp/old-server
wait_for listens 7001
ip netns exec a nc 192.0.2.2 7001 < /tmp/old-client > /dev/null &
old_client=$!
exec 4> /tmp/old-client
echo "$old_client $old_server" > /out/old-pids
wait_for is_connected 7001

{ ktc module load || ktc module load /other-kernel.ko || ktc module load /other-api.ko || ktc module unload; } \
  > /out/refused 2>&1
check() { ktc check --set sink.stdout.enabled=true --set spool.enabled=false "$@" 2>&1; }
# Where the kernel has no tracepoints of its own either, it says so.
check > /out/check-without || true
check --set source.module.path=/tcp_trace.ko > /out/check-loadable
grep -c tcp_trace /proc/modules > /out/loaded-by-check || true
ktc module load /tcp_trace.ko > /out/load
check > /out/check-with
# Not by the function, whose process would be the shell's.
node /ktc.cjs run --set source.kind=module --set source.buffer_kb=16384 --set spool.enabled=false \
  --set sink.file.enabled=true --set sink.file.path=/tmp/events.ndjson 2> /out/agent.log &
agent=$!
wait_for wget -q -O /dev/null http://127.0.0.1:9474/readyz 2> /dev/null
ktc module status --json > /out/module.json
counters before

# One connection in peace, looked at with ss before it ends.
mkfifo /tmp/held-client
mkfifo /tmp/held-server
ip netns exec b nc -l -p 7002 > /tmp/held-got < /tmp/held-server &
exec 7> /tmp/held-server
wait_for listens 7002
ip netns exec a nc 192.0.2.2 7002 < /tmp/held-client > /dev/null &
held_client=$!
exec 5> /tmp/held-client
head -c 300000 /dev/zero >&5
wait_for has_bytes /tmp/held-got 300000
in_a ss -Htin state established dport = :7002 > /out/ss-held
kill $held_client
kill $old_client

# And many that lose packets.
treat_link 'delay 3ms loss 4%'
exchange "$connections" 40
counters after

# A CPU is away while the agent waits for records, and is back before one comes there: nobody waited for that CPU.
has_event() { grep -q "\"remote_port\":$1," /tmp/events.ndjson; }
for port in 1 2 3; do
  echo 0 > /sys/devices/system/cpu/cpu1/online
  # After 2 s without a record it waits longest.
  sleep 3
  echo 1 > /sys/devices/system/cpu/cpu1/online
  taskset 2 nc 127.0.0.1 $port || true
  wait_for has_event $port
done

# Ftrace is switched off for a while, when nothing happens any more.
sysctl -q -w kernel.ftrace_enabled=0
wait_for grep -q 'ftrace_enabled is 0' /out/agent.log
wget -q -O /dev/null http://127.0.0.1:9474/readyz 2> /out/not-ready || true
check > /out/check-disturbed || true
sysctl -q -w kernel.ftrace_enabled=1
wait_for wget -q -O /dev/null http://127.0.0.1:9474/readyz 2> /dev/null

ktc module unload > /out/unload-refused 2>&1 || true
ktc module status > /out/status
wget -q -O /out/metrics http://127.0.0.1:9474/metrics
kill "$agent"
wait "$agent"
cp /tmp/events.ndjson /out/events
ktc module unload
dmesg > /out/dmesg
