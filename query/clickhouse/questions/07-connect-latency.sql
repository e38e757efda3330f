-- How long does it take to connect to each service?
--
-- Parameters: from, to (UTC).
-- Read: time from SYN to established in milliseconds, as the clients saw it. Steps of 1 s and 3 s in p99 are lost SYNs
-- (08); a high p50 is a slow accept or a long way.
-- Answer, of the fleet in test/support/fleet-truth:
--   to_service  from_service  connects  p50_ms  p95_ms  p99_ms
--   ambiguous   api           108       42.592  58.393  67.668
--   db          api           1002      40.957  57.89   66.88
--   db          batch         225       40.581  56.294  62.417
--   unknown     api           77        20.238  27.199  28.287
--   queue       batch         169       1.58    2.532   2.933
--   … 5 more
SELECT remote_service AS to_service, service AS from_service, count() AS connects,
    round(quantileExact(0.5)(latency_us) / 1000, 3) AS p50_ms,
    round(quantileExact(0.95)(latency_us) / 1000, 3) AS p95_ms,
    round(quantileExact(0.99)(latency_us) / 1000, 3) AS p99_ms
FROM events_named AS e
WHERE event = 'tcp_connect_latency' AND latency_us IS NOT NULL
    AND timestamp >= {from:DateTime64(9, 'UTC')} AND timestamp < {to:DateTime64(9, 'UTC')}
GROUP BY to_service, from_service
ORDER BY p50_ms DESC, to_service, from_service
