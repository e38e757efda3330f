#!/bin/sh
# The tools with tcp_trace.ko in a guest, all at once, on traffic between two network namespaces: first connections of a
# known shape over a link with a known delay, then many over one that loses packets. Leaves in /out what each tool printed
# and what others saw of the same: nstat and the traffic programs' own logs.
# Usage: tools.sh CONNECTIONS DELAY_MS
set -eu
connections=$1 delay_ms=$2
# shellcheck source-path=SCRIPTDIR source=link.sh
. /link.sh

open_link "delay $((delay_ms / 2))ms"
node /ktc.cjs module load /tcp_trace.ko > /dev/null
tools=
# NAME ARGUMENT...
start_tool() {
  name=$1
  shift
  node /ktc.cjs "$@" --source module > "/out/$name" 2> "/out/$name.err" &
  tools="$tools $!"
  wait_for test -s "/out/$name"
}
for tool in tcpaccept tcpconnect tcpconnlat tcplife tcpstates; do start_tool $tool $tool --csv; done
start_tool tcpretrans tcpretrans
start_tool tcpretrans-l tcpretrans --csv -l -s
counters before
date +%s > /out/started

mkfifo /tmp/serve-held
ip netns exec b node --no-warnings /held.ts serve 192.0.2.2 5023 < /tmp/serve-held > /out/held-server &
server=$!
exec 6> /tmp/serve-held
wait_for listens 5023
in_a node --no-warnings /held.ts hold 192.0.2.2 5023 "$connections" > /out/held-client
exec 6>&-
wait $server
wait_for is_quiet

treat_link 'delay 3ms loss 6%'
exchange "$connections" 23
counters after
date +%s > /out/ended

for pid in $tools; do
  kill -INT "$pid"
  wait "$pid" || echo "$pid ended with $?" >> /out/failed
done
ls /sys/kernel/debug/tracing/instances > /out/instances
node /ktc.cjs module unload
