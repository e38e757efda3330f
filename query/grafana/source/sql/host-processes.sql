-- Which processes have the connections, and what goes wrong in them?
SELECT ifNull(comm, '') AS process, countIf(event = 'tcp_life') AS connections,
    countIf(event = 'tcp_retransmit') AS retransmits, countIf(event = 'tcp_reset') AS resets
FROM events FINAL
WHERE event IN ('tcp_life', 'tcp_retransmit', 'tcp_reset') AND @time
GROUP BY process
ORDER BY retransmits DESC, connections DESC, process
LIMIT 100
