-- To which peers are SYNs sent again? They are unreachable, or something filters.
SELECT replaceOne(toString(remote_address), '::ffff:', '') AS peer, remote_port AS port, any(remote_host) AS name, count() AS syns, uniqExact(host) AS hosts
FROM events_named
WHERE event = 'tcp_retransmit' AND retransmit_kind = 'syn' AND @time AND @labels
GROUP BY remote_address, port
ORDER BY syns DESC, peer, port
LIMIT 100
