-- Which hosts have fallen silent?
--
-- Parameters: from, to (UTC); silent_s, how long nothing may come.
-- Read: a host with an agent sends host_status once a minute. No host_status: the host is down, the agent is stopped,
-- or the way to Kafka is cut. Hosts that were taken out of service are here too, until from passes them.
-- Answer, of the fleet in test/support/fleet-truth:
--   host                  rack  service  last_heard                     silent_for_s
--   web-92.b.example.net  r09   web      2026-11-24 12:44:59.999000776  2701
SELECT host, last.1 AS rack, last.2 AS service, last_heard,
    dateDiff('second', last_heard, {to:DateTime64(9, 'UTC')}) AS silent_for_s
FROM (
    SELECT host, argMax((s.rack, s.service), s.timestamp) AS last, max(s.timestamp) AS last_heard
    FROM host_status AS s
    WHERE timestamp >= {from:DateTime64(9, 'UTC')} AND timestamp < {to:DateTime64(9, 'UTC')}
    GROUP BY host)
WHERE silent_for_s >= {silent_s:UInt64}
ORDER BY silent_for_s DESC, host
