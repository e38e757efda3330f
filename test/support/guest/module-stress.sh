#!/bin/sh
# Treats tcp_trace.ko badly in a guest while TCP connections come and go, and leaves in /out what came of it: numbers by
# name, seconds and connections of each part, the connections that were to be counted, perf's count, the kernel log.
# Usage: module-stress.sh LOADS CYCLES CONNECTIONS
set -eu
loads=$1 cycles=$2 connections=$3
tracing=/sys/kernel/debug/tracing
probes=/sys/module/tcp_trace/parameters/probes

number() { echo "$1 $2" >> /out/numbers; }
# Of what does not come the numbers tell.
wait_for() {
  tries=1000
  until "$@" || [ $tries -eq 0 ]; do
    usleep 20000
    tries=$((tries - 1))
  done
}
new_instance() { mkdir "$tracing/instances/$1"; }
# INSTANCE EVENTS, as "ktc" or "ktc/inet_csk_accept"
turn_on() { echo 1 > "$tracing/instances/$1/events/$2/enable"; }
turn_off() { echo 0 > "$tracing/instances/$1/events/$2/enable"; }
# All that an instance has ever recorded: what it holds, and what newer records have pushed out.
recorded() {
  cat "$tracing/instances/$1"/per_cpu/cpu*/stats |
    awk '$1 == "entries:" || $1 == "overrun:" { sum += $2 } END { print sum }'
}
has_recorded() { [ "$(recorded "$1")" -ge "$2" ]; }
await_records() { wait_for has_recorded "$1" $(($(recorded "$1") + $2)); }
# Whether the hooks of the events that match are on, and no other.
hooks_on() {
  while read -r event _ state _; do
    # shellcheck disable=SC2254
    case $event in
      $1) [ "$state" = on ] || return 1 ;;
      *) [ "$state" = off ] || return 1 ;;
    esac
  done << END
$(cat $probes)
END
}

# What runs while the module is treated: requests, responses and resets over a link that loses packets.
ip netns add lossy
ip -n lossy link set lo up
ip netns exec lossy tc qdisc add dev lo root netem delay 2ms loss 4% limit 10000
# Connections, there and on the loopback that loses nothing.
opened() {
  { cat /proc/net/snmp && ip netns exec lossy cat /proc/net/snmp; } |
    awk '$1 == "Tcp:" { sum += $6 } END { print sum }'
}
start_traffic() {
  mkfifo /tmp/serve
  ip netns exec lossy /connections serve 127.0.0.1 5001 < /tmp/serve > /tmp/served &
  server=$!
  exec 3> /tmp/serve
  wait_for grep -q listening /tmp/served
  while [ ! -e /tmp/enough ]; do
    ip netns exec lossy /connections request 127.0.0.1 5001 100 10 4000 20000 > /dev/null || true
  done 3>&- &
  client=$!
}
# Its connections go on closing after its programs have ended; those in TIME_WAIT (6) change no more.
lossy_is_quiet() { ! ip netns exec lossy cat /proc/net/tcp | awk 'NR > 1 && $4 != "06"' | grep -q .; }
stop_traffic() {
  touch /tmp/enough
  wait $client
  exec 3>&-
  # A connection that the link has failed is none of the numbers here.
  wait $server || true
  wait_for lossy_is_quiet
}

uptime_ms() { awk '{ print $1 * 1000 }' /proc/uptime; }
part() {
  begin=$(uptime_ms) opened_before=$(opened)
  "$@"
  echo "$1 $(($(uptime_ms) - begin)) $(($(opened) - opened_before))" | tee -a /out/parts
}

load_and_unload() {
  for _ in $(seq "$loads"); do
    insmod /tcp_trace.ko
    rmmod tcp_trace
  done
}

# All events, then each alone, in turn. The last user leaves in each cycle, with everything that this unhooks; had it left
# something behind, the next cycle would see it.
enable_and_disable() {
  wrong=0 cycle=0
  while [ $cycle -lt "$cycles" ]; do
    for event in '*' $events; do
      group=ktc/$event
      [ "$event" != '*' ] || group=ktc
      turn_on a "$group"
      hooks_on "$event" || wrong=$((wrong + 1))
      turn_off a "$group"
      cycle=$((cycle + 1))
    done
  done
  hooks_on none || wrong=$((wrong + 1))
  number cycles $cycle
  number cycles_wrong $wrong
}

leave_another() {
  turn_on a ktc
  turn_on b ktc
  await_records a 100
  await_records b 100
  turn_off b ktc
  number b_left "$(recorded b)"
  number a_when_b_left "$(recorded a)"
  await_records a 100
  number a_later "$(recorded a)"
  number b_later "$(recorded b)"
}

refuse_to_unload() {
  refused=0
  rmmod tcp_trace 2> /out/rmmod || refused=1
  number refused $refused
  number a_when_refused "$(recorded a)"
  await_records a 100
  number a_after_refusal "$(recorded a)"
}

# Fills the memory but for a rest that is smaller than the disk, and reads the disk through it.
reclaimed() { awk '$1 ~ /^pgsteal_(kswapd|direct)(_|$)/ { sum += $2 } END { print sum }' /proc/vmstat; }
press_memory() {
  mkdir /tmp/ballast
  mount -t tmpfs -o size=100% tmpfs /tmp/ballast
  number reclaimed_before "$(reclaimed)"
  available=$(awk '$1 == "MemAvailable:" { print int($2 / 1024) }' /proc/meminfo)
  dd if=/dev/zero of=/tmp/ballast/fill bs=1M count=$((available - 64)) 2> /dev/null
  wrong=0
  for _ in 1 2; do
    dd if=/dev/vda of=/dev/null bs=1M count=192 2> /dev/null &
    reader=$!
    new_instance pressed
    turn_on pressed ktc
    await_records pressed 20
    has_recorded pressed 20 || wrong=$((wrong + 1))
    # Its events are still enabled.
    rmdir "$tracing/instances/pressed"
    wait $reader
  done
  number pressed_wrong $wrong
  number reclaimed_after "$(reclaimed)"
  number a_under_pressure "$(recorded a)"
  umount /tmp/ballast
}

# Counts from its return on; its control tells when it has begun.
start_perf() {
  perf stat -x, -a -e ktc:tcp_set_state -o /tmp/perf -D -1 --control fifo:/tmp/command,/tmp/answer &
  perf=$!
  echo enable > /tmp/command
  read -r _ < /tmp/answer
}
stop_perf() {
  kill -INT "$perf"
  wait "$perf" || true
  number "$1" "$(awk -F, '/ktc:/ { print $1 }' /tmp/perf)"
}

# Perf comes first and leaves first.
join_perf() {
  start_perf
  wrong=0
  hooks_on tcp_set_state || wrong=1
  number perf_alone_wrong $wrong
  turn_on a ktc/tcp_set_state
  await_records a 20
  stop_perf perf_counted
  number a_when_perf_left "$(recorded a)"
  await_records a 20
  number a_after_perf "$(recorded a)"
  turn_off a ktc
}

# Each instance is removed while it is enabled and records; another one goes on.
remove_instances() {
  turn_on a ktc
  wrong=0
  for _ in $(seq 20); do
    new_instance removed
    turn_on removed ktc
    await_records removed 5
    has_recorded removed 5 || wrong=$((wrong + 1))
    before=$(recorded a)
    rmdir "$tracing/instances/removed"
    await_records a 5
    has_recorded a $((before + 5)) || wrong=$((wrong + 1))
  done
  turn_off a ktc
  number removed_wrong $wrong
}

# The same functions have another user of ftrace and kprobes. All come and go in turn, and none takes anything away. On EL7
# only the top level can trace functions.
function_tracer() { echo "$1" > "$ops/current_tracer"; }
traced() { grep -c "$1 <-" "$ops/trace" || true; }
share_functions() {
  new_instance ops
  ops=$tracing/instances/ops
  [ -e $ops/set_ftrace_filter ] || ops=$tracing
  echo tcp_set_state security_sock_graft > $ops/set_ftrace_filter
  printf 'p:other/state tcp_set_state\nr:other/graft security_sock_graft\n' > $tracing/kprobe_events
  wrong=0
  for _ in $(seq 10); do
    function_tracer function
    turn_on a ktc
    turn_on b other
    await_records a 20
    await_records b 20
    turn_off a ktc
    await_records b 20
    turn_on a ktc
    function_tracer nop
    turn_off b other
    await_records a 20
    before=$(recorded a)
    await_records a 1
    has_recorded a $((before + 1)) || wrong=$((wrong + 1))
    hooks_on '*' || wrong=$((wrong + 1))
    turn_off a ktc
    hooks_on none || wrong=$((wrong + 1))
  done
  number shared_wrong $wrong
  function_tracer function
  turn_on b other
  turn_on a ktc
  await_records a 200
  number shared_set_state "$(traced tcp_set_state)"
  number shared_graft "$(traced security_sock_graft)"
  number shared_kprobe_state "$(awk '$1 == "state" { print $2 }' $tracing/kprobe_profile)"
  number shared_kprobe_graft "$(awk '$1 == "graft" { print $2 }' $tracing/kprobe_profile)"
  turn_off a ktc
  turn_off b other
  function_tracer nop
  echo > $tracing/kprobe_events
  rmdir $tracing/instances/ops
}

# Nothing is recorded while the sysctl is 0, and everything afterwards; hooks come and go meanwhile.
switch_ftrace() {
  turn_on a ktc
  wrong=0
  for _ in $(seq 10); do
    echo 0 > /proc/sys/kernel/ftrace_enabled
    turn_on b ktc/inet_csk_accept
    turn_off b ktc/inet_csk_accept
    turn_off a ktc
    turn_on a ktc
    echo 1 > /proc/sys/kernel/ftrace_enabled
    before=$(recorded a)
    await_records a 10
    has_recorded a $((before + 10)) || wrong=$((wrong + 1))
  done
  turn_off a ktc
  number switched_wrong $wrong
}

# Beside all other traffic, with hooks that come and go.
accept_many() {
  mkfifo /tmp/go
  /acceptors ipv4 1100 < /tmp/go > /tmp/acceptors &
  acceptors=$!
  exec 4> /tmp/go
  wait_for grep -q waiting /tmp/acceptors
  new_instance accepted
  echo 16384 > $tracing/instances/accepted/buffer_size_kb
  turn_on accepted ktc/inet_csk_accept
  for _ in $(seq 20); do
    turn_on b ktc
    turn_off b ktc
  done 4>&- &
  others=$!
  exec 4>&-
  wait $acceptors
  wait $others
  port=$(sed -n 's/.*"port":\([0-9]*\).*/\1/p' /tmp/acceptors)
  number accepted_connections "$(sed -n 's/.*"accepted":\([0-9]*\).*/\1/p' /tmp/acceptors)"
  number accepted_events "$(grep -c ": inet_csk_accept: [^ ]*:$port > " $tracing/instances/accepted/trace)"
  rmdir $tracing/instances/accepted
}

# Over a loopback that loses nothing, on both CPUs at a time, while another instance and perf use the same events.
made() { awk -F '[:,]' '{ sum += $2 } END { print sum + 0 }' /out/made; }
# Connections that a reset has ended before their program closed them.
resets() { awk '$1 == "Tcp:" { count = $9 } END { print count }' /proc/net/snmp; }
count_exactly() {
  instances='accepts states'
  # The kernel's own event, but for the states that it does not set by tcp_set_state(). EL7 has none.
  [ ! -d $tracing/events/sock/inet_sock_set_state ] || instances="$instances kernel"
  for instance in $instances; do new_instance "$instance"; done
  turn_on accepts ktc/inet_csk_accept
  turn_on states ktc/tcp_set_state
  if [ -d $tracing/instances/kernel ]; then
    echo 'protocol == 6 && newstate != 3 && newstate != 10' \
      > $tracing/instances/kernel/events/sock/inet_sock_set_state/filter
    turn_on kernel sock/inet_sock_set_state
  fi
  # Where TIME_WAIT is full, a connection ends without it, and a segment that comes late is answered by a reset. If the
  # other end has not closed by then, it changes from CLOSE_WAIT to CLOSE, one state less.
  sysctl -q -w net.ipv4.tcp_max_tw_buckets=1000000
  start_perf
  resets_before=$(resets)
  for _ in $(seq 20); do
    turn_on b ktc
    turn_off b ktc
  done &
  others=$!
  touch /out/made
  while [ "$(made)" -lt "$connections" ]; do
    /steady 100000 3 >> /out/made &
    /steady 100000 3 >> /out/made
    wait $!
  done
  wait $others
  stop_perf counted_perf
  number counted_resets $(($(resets) - resets_before))
  for instance in $instances; do number "counted_$instance" "$(recorded "$instance")"; done
  for instance in $instances; do rmdir "$tracing/instances/$instance"; done
}

mkfifo /tmp/command /tmp/answer
echo 'stress begins' > /dev/kmsg
start_traffic
part load_and_unload
insmod /tcp_trace.ko
events=$(tr , ' ' < /sys/module/tcp_trace/parameters/events)
new_instance a
new_instance b
part enable_and_disable
part leave_another
part refuse_to_unload
part press_memory
turn_off a ktc
part join_perf
part remove_instances
part share_functions
part switch_ftrace
part accept_many
stop_traffic
part count_exactly
cp $probes /out/probes
rmmod tcp_trace
number tainted "$(cat /proc/sys/kernel/tainted)"
# EL7 does not count them; its log then has a call trace.
number oom_kills "$(awk '$1 == "oom_kill" { count = $2 } END { print count + 0 }' /proc/vmstat)"
dmesg > /out/dmesg
