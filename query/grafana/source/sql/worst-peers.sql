-- Which peers cause the retransmits, and how many hosts see it?
SELECT replaceOne(toString(remote_address), '::ffff:', '') AS peer, any(remote_host) AS name, any(remote_rack) AS peer_rack,
    countIf(event = 'tcp_retransmit') + sum(ifNull(retransmits_suppressed, 0)) AS retransmits, uniqExact(host) AS hosts
FROM events_named
WHERE event IN ('tcp_retransmit', 'tcp_retransmit_summary') AND @time AND @labels
GROUP BY remote_address
ORDER BY retransmits DESC, peer
LIMIT 100
