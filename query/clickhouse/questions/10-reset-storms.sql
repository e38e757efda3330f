-- Who resets connections, in which direction, and when?
--
-- Parameters: from, to (UTC).
-- Read: direction sent: this host refused or aborted; received: the peer did. The worst minute tells a storm from a
-- steady trickle. unknown: of a reset without a connection, some kernels tell no address.
-- Answer, of the fleet in test/support/fleet-truth:
--   peer           direction  resets  hosts  in_worst_minute  worst_minute
--   198.51.100.66  sent       840     1      280              2026-11-24 12:50:00
--   198.51.100.66  received   360     1      120              2026-11-24 12:50:00
--   10.1.5.17      sent       12      10     1                2026-11-24 11:31:00
--   10.2.9.153     sent       4       4      1                2026-11-24 12:23:00
--   10.1.1.145     received   3       3      1                2026-11-24 11:40:00
--   … 45 more
SELECT if(remote_address = toIPv6('::'), 'unknown', replaceOne(toString(remote_address), '::ffff:', '')) AS peer, direction,
    sum(in_minute) AS resets, uniqExact(host) AS hosts,
    max(in_minute) AS in_worst_minute, argMax(minute, (in_minute, -toInt64(toUnixTimestamp(minute)))) AS worst_minute
FROM (
    SELECT remote_address, reset_direction AS direction, host, toStartOfMinute(timestamp) AS minute, count() AS in_minute
    FROM events FINAL
    WHERE event = 'tcp_reset' AND timestamp >= {from:DateTime64(9, 'UTC')} AND timestamp < {to:DateTime64(9, 'UTC')}
    GROUP BY remote_address, direction, host, minute)
GROUP BY remote_address, direction
ORDER BY resets DESC, peer, direction
LIMIT 50
