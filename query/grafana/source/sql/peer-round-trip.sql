-- How far away is it? Smoothed round-trip time at the end of connections.
SELECT toStartOfInterval(timestamp, toIntervalSecond($__interval_s)) AS time, quantile(0.5)(srtt_us) AS p50, quantile(0.95)(srtt_us) AS p95, quantile(0.99)(srtt_us) AS p99
FROM events FINAL
WHERE event = 'tcp_life' AND srtt_us IS NOT NULL AND @time
GROUP BY time
ORDER BY time
