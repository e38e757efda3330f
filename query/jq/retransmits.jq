# Did every retransmit that the kernel counted become an event?
#
#     kcat -b BROKER -C -t ktc-events -o beginning -e -q | jq -n -c -f query/jq/retransmits.jq
#
# Reads events as NDJSON. Prints an object for each two neighbours among the host_status of a trace session: what the
# kernel counted between them, and how many tcp_retransmit events have a timestamp between theirs. `new_data` are loss
# probes that carried new data, which are no retransmits; the others have an event of the kind tlp. Only events of the
# namespace of the counters count: by netns, or by the local address where the source does not tell netns. Then those of
# 127.0.0.1 may be of another namespace.
#
# Both retransmit counts are the same, under the conditions of docs/events.md, if the account of that time has no other
# reason: `suppressed` retransmits are above a limit, `left_out` are events of any kind that the configuration does not
# want or that are of the agent's own connections, and `lost` is all that it calls lost. A retransmit at the very moment
# of a host_status may be counted on the other side of it.

def instant: .timestamp | [(.[0:19] + "Z" | fromdateiso8601), (.[20:29] | tonumber)];
def session: .event_id | sub("-[0-9]+-[0-9]+$"; "");
def isLoopback: startswith("127.") or . == "::1";
def sumOf($start): to_entries | map(select(.key | startswith($start)) | .value) | add // 0;

[
  inputs
  | select(.event == "host_status" or .event == "tcp_retransmit")
  | if .event == "host_status" then . else {event, event_id, netns, local_address, retransmit_kind, timestamp} end
  | . + {session: session, instant: instant}
]
| unique_by(.event_id)
| group_by(.session)[]
| map(select(.event == "tcp_retransmit")) as $all
| map(select(.event == "host_status"))
| sort_by(.instant)
| range(1; length) as $index
| .[$index - 1] as $before
| .[$index] as $after
| ($after.addresses | map({key: ., value: true}) | from_entries) as $own
| [
    $all[]
    | select(.instant > $before.instant and .instant <= $after.instant)
    | select(
        if .netns != null then .netns == $after.netns
        else $own[.local_address] or (.local_address | isLoopback) end
      )
  ] as $events
| def counted($name): ($after.counters[$name] // 0) - ($before.counters[$name] // 0);
  def booked($name): ($after.ledger[$name] // 0) - ($before.ledger[$name] // 0);
  def bookedBelow($start): ($after.ledger | sumOf($start)) - ($before.ledger | sumOf($start));
  {
    host: $after.host,
    session: $after.session,
    from: $before.timestamp,
    to: $after.timestamp,
    kernel_retransmits: counted("Tcp.RetransSegs"),
    retransmits: ($events | length),
    kernel_loss_probes: counted("TcpExt.TCPLossProbes"),
    loss_probes: ($events | map(select(.retransmit_kind == "tlp")) | length),
    new_data: booked("filtered.new_data"),
    suppressed: booked("suppressed.tcp_retransmit"),
    left_out: (bookedBelow("filtered.excluded_") + booked("filtered.event_disabled") + booked("filtered.own_traffic")),
    lost: bookedBelow("lost.")
  }
