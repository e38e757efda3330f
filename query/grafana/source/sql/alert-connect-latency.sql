-- How long did one connect of twenty take to each service in the last 15 minutes, in microseconds?
SELECT * FROM (
    SELECT service, toFloat64(ifNull(latency, 0)) AS value
    FROM (
        SELECT remote_service AS service, quantile(0.95)(latency_us) AS latency
        FROM events_named
        WHERE event = 'tcp_connect_latency' AND @time
        GROUP BY service
        HAVING count() >= 20)
    ORDER BY value DESC
    LIMIT 100)
UNION ALL SELECT '' AS service, toFloat64(0) AS value
