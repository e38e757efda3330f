-- Who talks to it, and who of them has to send again?
SELECT host, any(rack) AS rack, any(service) AS service, countIf(event = 'tcp_life') AS connections,
    countIf(event = 'tcp_retransmit') + sum(ifNull(retransmits_suppressed, 0)) AS retransmits, sum(bytes_sent) AS sent, sum(bytes_received) AS received
FROM events FINAL
WHERE event IN ('tcp_life', 'tcp_retransmit', 'tcp_retransmit_summary') AND @time
GROUP BY host
ORDER BY retransmits DESC, connections DESC, host
LIMIT 100
