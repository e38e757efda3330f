#!/bin/sh
# What tcp_trace.ko does at the edges, in a guest: acceptors that waited before it was enabled, accepts that are not TCP's,
# more acceptors than a kretprobe has instances, and ftrace that dies under it. Leaves in /out what was recorded, numbers
# by name, the parameter probes at the end, the kernel log.
# Usage: module-limits.sh ACCEPTORS
set -eu
acceptors=$1
tracing=/sys/kernel/tracing
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

kill_ftrace() {
  use_instance dying
  turn 1 ktc
  connect
  insmod /kill_ftrace.ko
  connect
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
accept_late mptcp mptcp 3
accept_late fallback mptcp 3 ipv4
grep '^inet_csk_accept ' $probes > /out/graft
kill_ftrace
cp $probes /out/probes
dmesg > /out/dmesg
