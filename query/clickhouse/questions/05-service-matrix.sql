-- Between which services are segments lost?
--
-- Parameters: from, to (UTC).
-- Read: from is the service that had to send again, to is that of its peer; one bad line against all others is a path,
-- a bad row or column is a service. ambiguous: several hosts had the address at that time; unknown: no host of the
-- fleet had it. SYNs are not in it (08).
-- Answer, of the fleet in test/support/fleet-truth:
--   from_service  to_service  connections  retransmits  segments  per_1000_segments
--   api           web         2301         217          194050    1.118
--   web           api         2301         188          71492     2.63
--   db            api         1109         143          95875     1.492
--   db            batch       225          67           19035     3.52
--   web           unknown     1429         52           127719    0.407
--   … 14 more
SELECT service AS from_service, remote_service AS to_service,
    countIf(event = 'tcp_life') AS connections,
    countIf(event = 'tcp_retransmit') + sum(ifNull(e.retransmits_suppressed, 0)) AS retransmits,
    sumIf(ifNull(e.segments_sent, 0), event = 'tcp_life') AS segments,
    round(1000 * retransmits / segments, 3) AS per_1000_segments
FROM events_named AS e
WHERE event IN ('tcp_life', 'tcp_retransmit', 'tcp_retransmit_summary') AND ifNull(retransmit_kind, '') != 'syn'
    AND timestamp >= {from:DateTime64(9, 'UTC')} AND timestamp < {to:DateTime64(9, 'UTC')}
GROUP BY from_service, to_service
ORDER BY retransmits DESC, from_service, to_service
