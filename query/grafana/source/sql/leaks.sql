-- Which processes did not close what their peers had closed, five minutes before the end of the time?
SELECT service, comm AS process, count() AS connections, uniqExact(host) AS hosts
FROM (
    SELECT host, service, connection_id, any(comm) AS comm,
        argMax(new_state, (timestamp, ordinal)) AS last_state, max(timestamp) AS since
    FROM events FINAL
    WHERE event = 'tcp_state' AND @time AND @labels
    GROUP BY host, service, connection_id)
WHERE last_state = 'CLOSE_WAIT' AND since < fromUnixTimestamp64Milli(toInt64(${__to})) - INTERVAL 5 MINUTE
GROUP BY service, process
ORDER BY connections DESC, service, process
LIMIT 100
