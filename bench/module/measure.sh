#!/bin/sh
# In a guest whose clock counts instructions: connections over loopback without tcp_trace.ko, with it in each of its
# states, and with bpftrace. Leaves in /out a line for each run and how many events were seen.
# Usage: measure.sh ROUNDS SECONDS
set -eu
rounds=$1 seconds=$2
instance=/sys/kernel/tracing/instances/cost

# As many connections as there is time for.
run() { /steady 1000000 "$seconds"; }
measure() {
  for _ in $(seq "$rounds"); do echo "$1 $(run)" >> /out/runs; done
}
set_enabled() { echo "$1" > $instance/events/ktc/enable; }

# The first runs cost more: they fill the kernel's caches, and the table of connections in TIME_WAIT.
for _ in 1 2 3 4 5; do run > /dev/null; done
measure absent
insmod /tcp_trace.ko
measure loaded
mkdir $instance
set_enabled 1
measure enabled
awk '$1 == "entries:" || $1 == "overrun:" { sum += $2 } END { print "enabled", sum }' \
  $instance/per_cpu/cpu0/stats >> /out/events
set_enabled 0
measure disabled
rmdir $instance
rmmod tcp_trace

touch /tmp/bpftrace
# Room for all that is printed, so that none is lost, which would be cheaper.
BPFTRACE_PERF_RB_PAGES=16384 bpftrace -B line /probes.bt > /tmp/bpftrace 2> /out/bpftrace.log &
bpftrace=$!
# What it prints first can be read when all is attached.
until grep -q ready /tmp/bpftrace; do
  kill -0 $bpftrace
  usleep 10000
done
measure bpftrace
# It prints what it has got so far; what it has lost never comes.
connections=$(awk -F '[ :,]' '$1 == "bpftrace" { sum += $3 } END { print sum }' /out/runs)
tries=1000
until [ "$(grep -c '^inet_csk_accept ' /tmp/bpftrace)" -ge "$connections" ] || [ $tries -eq 0 ]; do
  usleep 100000
  tries=$((tries - 1))
done
kill -INT $bpftrace
wait $bpftrace
echo "bpftrace $(grep -c -E '^(tcp_set_state|inet_csk_accept) ' /tmp/bpftrace)" >> /out/events
