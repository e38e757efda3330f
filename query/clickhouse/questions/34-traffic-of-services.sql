-- How does the traffic of services develop, over months?
--
-- Parameters: from, to (UTC).
-- Read: from the sums per minute, which stay when the events are gone: connections, retransmits and latency by day and
-- service. Counts are of different events, whatever was repeated.
-- Answer, of the fleet in test/support/fleet-truth:
--   hour                 service  connected  accepted  retransmitted  resets  connect_p95_ms
--   2026-11-24 11:00:00  api      627        768       58             18      52.6
--   2026-11-24 11:00:00  batch    324        0         105            6       43.8
--   2026-11-24 11:00:00  cache    0          354       20             1       null
--   2026-11-24 11:00:00  db       0          346       15             3       null
--   2026-11-24 11:00:00  queue    0          167       7              0       null
--   … 13 more
SELECT toStartOfHour(bucket) AS hour, service, sum(connects) AS connected, sum(accepts) AS accepted, sum(t.retransmits) AS retransmitted,
    sum(resets_sent) + sum(resets_received) AS resets,
    if(sum(latencies) = 0, NULL, round(quantilesTDigestMerge(0.5, 0.95, 0.99)(latency_us_state)[2] / 1000, 1)) AS connect_p95_ms
FROM service_traffic AS t
WHERE bucket >= toDateTime({from:DateTime64(9, 'UTC')}) AND bucket < toDateTime({to:DateTime64(9, 'UTC')})
GROUP BY hour, service
ORDER BY hour, service
