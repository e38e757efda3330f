# Which events are missing, of which host, trace session and CPU?
#
#     kcat -b BROKER -C -t ktc-events -o beginning -e -q | jq -n -c -f query/jq/missing.jq
#
# Reads events as NDJSON, in any order and as often as they come. Prints an object for each trace session and CPU:
# `expected` events, `found` ones, and the `missing` ordinals, 20 at most. Every event has a place on its CPU, the last
# number of its event_id, and each host_status says how many places had been given. After the last host_status only
# events before the last one found can be seen to be missing.
#
# Where the topic does not hold the beginning of a session any more: --arg from first_status

# The boot id in an event_id has dashes of its own. Places are kept by the thousand, because jq copies an array that it
# changes.
reduce inputs as $event ({};
  ($event.event_id / "-") as $parts
  | ($parts[:-2] | join("-")) as $session
  | setpath([$session, "host"]; $event.host)
  | ($parts[-1] | tonumber) as $ordinal
  | setpath([$session, "cpus", $parts[-2], "found", ($ordinal / 1000 | floor), $ordinal % 1000]; true)
  | if $event.event != "host_status" then .
    else
      reduce ($event.ordinals | to_entries[]) as $given (.;
        .[$session].cpus[$given.key].upTo |= ([., $given.value] | max)
        | .[$session].cpus[$given.key].from |= ([., $given.value] | map(numbers) | min)
      )
    end
)
| to_entries[]
| .key as $session
| .value as {$host, $cpus}
| $cpus | to_entries[]
| .key as $cpu
| (if $ARGS.named.from == "first_status" then .value.from // 0 else 0 end) as $from
| (.value.found // []) as $found
| (($found | length) - 1) as $last
| ([1000 * $last + ($found[$last] | length), (.value.upTo // 0)] | max) as $until
| [range($from; $until) | select($found[. / 1000 | floor][. % 1000] == null)] as $missing
| {
    host: $host,
    session: $session,
    cpu: ($cpu | tonumber),
    expected: ($until - $from),
    found: ($until - $from - ($missing | length)),
    missing: $missing[:20]
  }
