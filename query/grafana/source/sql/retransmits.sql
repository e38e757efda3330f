-- How many segments were sent again?
SELECT countIf(event = 'tcp_retransmit') + sum(ifNull(retransmits_suppressed, 0)) AS retransmits
FROM events FINAL
WHERE event IN ('tcp_retransmit', 'tcp_retransmit_summary') AND @time
