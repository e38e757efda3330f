-- Which services accept slowly?
SELECT remote_service AS service, service AS caller, count() AS connects, quantile(0.5)(latency_us) AS p50, quantile(0.95)(latency_us) AS p95, quantile(0.99)(latency_us) AS p99
FROM events_named
WHERE event = 'tcp_connect_latency' AND latency_us IS NOT NULL AND @time AND @labels
GROUP BY remote_service, caller
ORDER BY p50 DESC, service, caller
LIMIT 100
