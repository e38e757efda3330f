-- To whom does this host send again?
SELECT replaceOne(toString(remote_address), '::ffff:', '') AS peer, any(remote_host) AS name, any(remote_rack) AS peer_rack, countIf(event = 'tcp_retransmit') + sum(ifNull(retransmits_suppressed, 0)) AS retransmits,
    countIf(event = 'tcp_life') AS connections
FROM events_named
WHERE event IN ('tcp_life', 'tcp_retransmit', 'tcp_retransmit_summary') AND @time
GROUP BY remote_address
ORDER BY retransmits DESC, connections DESC, peer
LIMIT 100
