-- Which hosts have stopped to report, before the last five minutes of the time?
SELECT host, last_rack AS rack, last_service AS service, last_heard
FROM (
    SELECT host, argMax(rack, timestamp) AS last_rack, argMax(service, timestamp) AS last_service, max(timestamp) AS last_heard
    FROM host_status
    WHERE @time AND @labels
    GROUP BY host)
WHERE last_heard < fromUnixTimestamp64Milli(toInt64(${__to})) - INTERVAL 5 MINUTE
ORDER BY last_heard, host
LIMIT 100
