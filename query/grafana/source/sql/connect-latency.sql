-- How long does it take to connect? Steps of a second are lost SYNs.
SELECT toStartOfInterval(timestamp, toIntervalSecond($__interval_s)) AS time, quantile(0.5)(latency_us) AS p50, quantile(0.95)(latency_us) AS p95, quantile(0.99)(latency_us) AS p99
FROM events FINAL
WHERE event = 'tcp_connect_latency' AND @time
GROUP BY time
ORDER BY time
