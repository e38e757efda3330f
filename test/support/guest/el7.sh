#!/bin/sh
# Agent, tools and ktc check on a kernel of EL7, where a filter of an event belongs to the whole host: all at once on traffic
# that loses packets, one that is killed, a filter of another program, and one of the operator. Leaves in /out what each of
# them said, and what the filters of the host were meanwhile.
# Usage: el7.sh CONNECTIONS
set -eu
connections=$1
tracing=/sys/kernel/debug/tracing
# shellcheck source-path=SCRIPTDIR source=link.sh
. /link.sh

is_ready() { wget -q -O /dev/null http://127.0.0.1:9474/readyz 2> /dev/null; }
has_event() { grep -q "\"remote_port\":$2," "/tmp/$1"; }
# Of all events that agent and tools use.
host_filters() { cat $tracing/events/ktc/*/filter $tracing/events/task/task_newtask/filter > "/out/filters-$1"; }
check() { node /ktc.cjs check --set sink.stdout.enabled=true --set spool.enabled=false "$@" 2>&1; }
# EVENTS OPTION...
start_agent() {
  events=$1
  shift
  node /ktc.cjs run --set source.kind=module --set source.buffer_kb=4096 --set spool.enabled=false \
    --set sink.file.enabled=true --set sink.file.path="/tmp/$events" "$@" 2> "/out/$events.log" &
  agent=$!
  wait_for is_ready
}
stop_agent() {
  kill $agent
  wait $agent
  cp "/tmp/$events" "/out/$events"
}
# TOOL OUTPUT
start_tool() {
  node /ktc.cjs "$1" --csv --source module > "/out/$2" 2> "/out/$2.err" &
  wait_for test -s "/out/$2"
}

open_link 'delay 3ms'
node /ktc.cjs run --set source.kind=tracepoints --set sink.stdout.enabled=true --set spool.enabled=false \
  > /out/tracepoints 2>&1 || true
# A record of somebody else, which unloading a module would take away.
echo 'of another tracer' > $tracing/trace_marker
check --set source.module.path=/tcp_trace.ko > /out/check
grep -c 'of another tracer' $tracing/trace > /out/marker || true
node /ktc.cjs module load /tcp_trace.ko

start_agent events
tools=
for tool in tcpaccept tcpconnect tcpconnlat tcplife tcpretrans tcpstates; do
  start_tool $tool $tool
  tools="$tools $!"
done
counters before
treat_link 'delay 3ms loss 4%'
exchange "$connections" 20
counters after
host_filters together
for pid in $tools; do
  kill -INT "$pid"
  wait "$pid" || echo "$pid ended with $?" >> /out/failed
done
start_tool tcplife killed
kill -KILL $!
wait $! || true
host_filters after
rmmod tcp_trace 2> /out/rmmod || true

# Another program's filter decides for the agent too.
echo 'dport == 9' > $tracing/events/ktc/tcp_set_state/filter
wait_for grep -q 'another program has filtered' /out/events.log
wget -q -O /dev/null http://127.0.0.1:9474/readyz 2> /out/not-ready || true
check > /out/check-foreign || true
host_filters foreign
echo 0 > $tracing/events/ktc/tcp_set_state/filter
wait_for is_ready
stop_agent

start_agent filtered --set 'source.probes.tcp_set_state.filter=dport == 2 || sport == 2'
for port in 1 2 3; do nc 127.0.0.1 $port || true; done
wait_for has_event filtered 2
host_filters operator
stop_agent
dmesg > /out/dmesg
