-- How many retransmits does it take to send a gigabyte, by service?
--
-- Parameters: from, to (UTC).
-- Read: compare services with each other and with themselves last week: per GB does not depend on how much they send. A
-- service with short answers has more per GB than per 1,000 segments.
-- Answer, of the fleet in test/support/fleet-truth:
--   service  retransmits  bytes      segments  per_gb  per_1000_segments
--   batch    46           14934909   14437     3080    3.186
--   db       210          159305427  114910    1318.2  1.828
--   api      352          371423577  276437    947.7   1.273
--   web      257          292943376  216541    877.3   1.187
--   queue    25           53037685   38209     471.4   0.654
--   … 1 more
SELECT service,
    countIf(event = 'tcp_retransmit') + sum(ifNull(e.retransmits_suppressed, 0)) AS retransmits,
    sumIf(ifNull(e.bytes_sent, 0), event = 'tcp_life') AS bytes,
    sumIf(ifNull(e.segments_sent, 0), event = 'tcp_life') AS segments,
    round(1e9 * retransmits / bytes, 1) AS per_gb,
    round(1000 * retransmits / segments, 3) AS per_1000_segments
FROM events AS e FINAL
WHERE event IN ('tcp_life', 'tcp_retransmit', 'tcp_retransmit_summary') AND ifNull(retransmit_kind, '') != 'syn'
    AND timestamp >= {from:DateTime64(9, 'UTC')} AND timestamp < {to:DateTime64(9, 'UTC')}
GROUP BY service
HAVING bytes > 0
ORDER BY per_gb DESC, service
