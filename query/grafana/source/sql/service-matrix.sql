-- Between which services are segments sent again, per 1,000 segments sent?
SELECT service AS sender, remote_service AS receiver, 1000 * (countIf(event = 'tcp_retransmit') + sum(ifNull(retransmits_suppressed, 0)))
        / sumIf(segments_sent, event = 'tcp_life') AS per_1000
FROM events_named
WHERE event IN ('tcp_life', 'tcp_retransmit', 'tcp_retransmit_summary') AND ifNull(retransmit_kind, '') != 'syn' AND @time AND @labels
GROUP BY sender, receiver
HAVING isFinite(per_1000)
ORDER BY sender, receiver
