-- How long is the round trip between services?
--
-- Parameters: from, to (UTC).
-- Read: the smoothed round-trip time at the end of connections, in milliseconds. It has the time of the peer's kernel
-- in it, not that of its program.
-- Answer, of the fleet in test/support/fleet-truth:
--   service  remote_service  connections  p50_ms  p95_ms
--   web      unknown         1352         19.737  28.932
--   api      unknown         77           19.331  26.407
--   queue    api             324          1.583   2.56
--   api      ambiguous       108          1.569   2.536
--   queue    batch           122          1.551   2.483
--   … 14 more
SELECT service, remote_service, count() AS connections,
    round(quantileExact(0.5)(srtt_us) / 1000, 3) AS p50_ms,
    round(quantileExact(0.95)(srtt_us) / 1000, 3) AS p95_ms
FROM events_named AS e
WHERE event = 'tcp_life' AND srtt_us IS NOT NULL
    AND timestamp >= {from:DateTime64(9, 'UTC')} AND timestamp < {to:DateTime64(9, 'UTC')}
GROUP BY service, remote_service
ORDER BY p50_ms DESC, service, remote_service
