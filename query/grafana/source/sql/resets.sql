-- With whom are connections reset, and which side does it?
SELECT replaceOne(toString(remote_address), '::ffff:', '') AS peer, any(remote_host) AS name, reset_direction AS side, count() AS resets, uniqExact(host) AS hosts
FROM events_named
WHERE event = 'tcp_reset' AND @time AND @labels
GROUP BY remote_address, side
ORDER BY resets DESC, peer, side
LIMIT 100
