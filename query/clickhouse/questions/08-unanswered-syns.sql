-- Which peers do not answer SYN, or drop it?
--
-- Parameters: from, to (UTC).
-- Read: SYNs that had to be sent again, and connects that were given up. Given up after many repeats: nobody there, or
-- a filter drops silently. Repeats that succeed in the end: an overloaded listener or a lossy path.
-- Answer, of the fleet in test/support/fleet-truth:
--   peer        port  remote_host  syns_again  given_up  hosts  services
--   10.200.0.9  9100  unknown      360         120       10     ["batch"]
SELECT replaceOne(toString(remote_address), '::ffff:', '') AS peer, remote_port AS port,
    dictGetOrDefault('peers', 'host', tuple(remote_address), toDateTime(timestamp), 'unknown') AS remote_host,
    countIf(event = 'tcp_retransmit') AS syns_again,
    countIf(event = 'tcp_state') AS given_up,
    uniqExact(host) AS hosts,
    arraySort(groupUniqArray(service)) AS services
FROM (
    SELECT event, timestamp, host, service, remote_address, remote_port
    FROM events
    WHERE ((event = 'tcp_retransmit' AND retransmit_kind = 'syn')
            OR (event = 'tcp_state' AND old_state = 'SYN_SENT' AND new_state = 'CLOSE'))
        AND timestamp >= {from:DateTime64(9, 'UTC')} AND timestamp < {to:DateTime64(9, 'UTC')}
    -- Each once, as by FINAL, which would read all changes of state for the few that are wanted.
    LIMIT 1 BY host, boot_id, session, cpu, ordinal)
GROUP BY remote_address, port, remote_host
HAVING syns_again > 0
ORDER BY syns_again DESC, peer, port
