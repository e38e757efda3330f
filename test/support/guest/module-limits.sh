#!/bin/sh
# What tcp_trace.ko does at the edges, in a guest: acceptors that waited before it was enabled, accepts that are not TCP's,
# more acceptors than a kretprobe has instances, and ftrace that dies under it and under an agent. Leaves in /out what was
# recorded, numbers by name, what the agent and ktc check said, the parameter probes at the end, the kernel log.
# Usage: module-limits.sh ACCEPTORS
set -eu
acceptors=$1
tracing=/sys/kernel/debug/tracing
probes=/sys/module/tcp_trace/parameters/probes

number() { echo "$1 $2" >> /out/numbers; }
wait_for() { until "$@"; do usleep 20000; done; }
turn() { echo "$1" > "$instance/events/$2/enable"; }
use_instance() {
  instance=$tracing/instances/$1
  mkdir "$instance"
}
recorded() { grep -c ': inet_csk_accept: ' "$instance/trace" || true; }

# Acceptors that wait already when the event is enabled. Its words are a line of /out/accepted.
#   accept_late NAME KIND PROCESSES [CLIENT_KIND]
accept_late() {
  name=$1
  shift
  mkfifo "/tmp/$name"
  /acceptors "$@" < "/tmp/$name" > "/tmp/$name-said" &
  pid=$!
  exec 3> "/tmp/$name"
  wait_for grep -q waiting "/tmp/$name-said"
  use_instance "$name"
  turn 1 ktc/inet_csk_accept
  exec 3>&-
  wait $pid
  turn 0 ktc/inet_csk_accept
  cp "$instance/trace" "/out/trace-$name"
  echo "$name $(tail -n 1 "/tmp/$name-said")" >> /out/accepted
  rmdir "$instance"
}

# As on a kernel without CONFIG_SECURITY_NETWORK: enabled first, so that the probe sees the calls that have an instance.
accept_by_kretprobe() {
  insmod /kretprobe.ko
  use_instance kretprobe
  turn 1 ktc/inet_csk_accept
  echo | /acceptors ipv4 "$acceptors" > /dev/null
  number kretprobe_recorded "$(recorded)"
  grep '^inet_csk_accept ' $probes > /out/kretprobe
  turn 0 ktc/inet_csk_accept
  rmdir "$instance"
  rmmod tcp_trace
}

connect() { /steady 200 1 | tee -a /out/connected; }

start_agent() {
  node /ktc.cjs run --set source.kind=module --set spool.enabled=false \
    --set sink.file.enabled=true --set sink.file.path=/tmp/events.ndjson 2> /out/agent.log &
  agent=$!
  wait_for is_ready
}
is_ready() { wget -q -O /dev/null http://127.0.0.1:9474/readyz 2> /dev/null; }

kill_ftrace() {
  use_instance dying
  turn 1 ktc
  start_agent
  connect
  insmod /kill_ftrace.ko
  connect
  wait_for grep -q 'ftrace has switched itself off' /out/agent.log
  wget -q -O /dev/null http://127.0.0.1:9474/readyz 2> /out/not-ready || true
  node /ktc.cjs check --set sink.stdout.enabled=true --set spool.enabled=false > /out/check 2>&1 || true
  kill $agent
  wait $agent
  turn 0 ktc
  connect
  for _ in 1 2; do
    if rmmod tcp_trace 2>> /out/rmmod; then number unloaded 1; fi
  done
  if turn 1 ktc/tcp_set_state 2>> /out/enable; then number enabled_again 1; fi
  turn 0 ktc
  rmdir "$instance"
  connect
}

accept_by_kretprobe
insmod /tcp_trace.ko
accept_late ipv4 ipv4 "$acceptors"
accept_late ipv6 ipv6 3
accept_late unix unix 3
if [ -d /proc/sys/net/mptcp ]; then
  accept_late mptcp mptcp 3
  accept_late fallback mptcp 3 ipv4
fi
grep '^inet_csk_accept ' $probes > /out/graft
kill_ftrace
cp $probes /out/probes
dmesg > /out/dmesg
