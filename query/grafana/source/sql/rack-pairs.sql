-- Between which racks are the most segments sent again, and since when?
SELECT rack AS sender, remote_rack AS receiver, countIf(event = 'tcp_retransmit') + sum(ifNull(retransmits_suppressed, 0)) AS retransmits,
    sumIf(segments_sent, event = 'tcp_life') AS segments, 1000 * retransmits / segments AS per_1000,
    uniqExactIf(host, event = 'tcp_retransmit') AS hosts, minIf(timestamp, event = 'tcp_retransmit') AS first
FROM events_named
WHERE event IN ('tcp_life', 'tcp_retransmit', 'tcp_retransmit_summary') AND ifNull(retransmit_kind, '') != 'syn' AND @time AND @labels
GROUP BY sender, receiver
HAVING retransmits > 0
ORDER BY retransmits DESC, sender, receiver
LIMIT 100
