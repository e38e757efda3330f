-- Since how many seconds has each host of the last day been silent?
SELECT * FROM (
    SELECT host, any(rack) AS rack, toFloat64(dateDiff('second', max(timestamp), now64(9))) AS value
    FROM host_status
    WHERE @time
    GROUP BY host
    ORDER BY value DESC
    LIMIT 100)
UNION ALL SELECT '' AS host, '' AS rack, toFloat64(0) AS value
