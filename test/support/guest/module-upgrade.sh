#!/bin/sh
# Two releases of the agent in turns, on traffic that goes on: the older one, this one with the older module, this one with its
# own, and back. Leaves in /out the events of all, and which API the module in the kernel had each time.
set -eu
# shellcheck source-path=SCRIPTDIR source=link.sh
. /link.sh
extra=/lib/modules/$(uname -r)/extra
mkdir -p "$extra"

open_link 'delay 3ms loss 4%'
mkfifo /tmp/serve
ip netns exec b /connections serve 192.0.2.2 5001 < /tmp/serve > /dev/null &
exec 6> /tmp/serve
wait_for listens 5001
while :; do in_a /connections request 192.0.2.2 5001 20 5 4000 20000 > /dev/null || true; done &
traffic=$!

retransmits() { grep -c '"event":"tcp_retransmit"' /out/events || true; }
has_more_than() { [ "$(retransmits)" -gt "$1" ]; }
# run_agent PROGRAM: until it has written ten more retransmits.
run_agent() {
  before=$(retransmits)
  node "$1" run --set source.kind=module --set source.buffer_kb=16384 --set spool.enabled=false \
    --set sink.file.enabled=true --set sink.file.path=/out/events 2>> /out/agent.log &
  agent=$!
  wait_for has_more_than $((before + 10))
  cat /sys/module/tcp_trace/parameters/api >> /out/apis
  kill $agent
  wait $agent
}

touch /out/events /out/apis
cp /older.ko "$extra/tcp_trace.ko"
run_agent /older.cjs
cp /newer.ko "$extra/tcp_trace.ko"
run_agent /ktc.cjs
node /ktc.cjs module unload
run_agent /ktc.cjs
cp /older.ko "$extra/tcp_trace.ko"
run_agent /older.cjs

kill $traffic
