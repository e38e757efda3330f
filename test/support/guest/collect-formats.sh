#!/bin/sh
# Copies what a reader of raw ring-buffer pages must know of this kernel from tracefs into a directory.
# This is how test/fixtures/formats/<kernel> came about, in guests and on hosts.
set -eu
directory=${1:?usage: collect-formats.sh DIRECTORY}
events=/sys/kernel/tracing/events

mkdir -p "$directory"
for header in header_page header_event; do
  cat "$events/$header" > "$directory/$header"
done
for event in sock.inet_sock_set_state \
  tcp.tcp_retransmit_skb tcp.tcp_retransmit_synack tcp.tcp_send_reset tcp.tcp_receive_reset; do
  cat "$events/${event%%.*}/${event#*.}/format" > "$directory/$event.format"
done
