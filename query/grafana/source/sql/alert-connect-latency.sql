-- How long did one connect of twenty take between services in the last 15 minutes, in milliseconds?
SELECT * FROM (
    SELECT to_service, from_service, toFloat64(p95_ms) AS value
    FROM @answer(07-connect-latency)
    WHERE connects >= 20
    ORDER BY value DESC
    LIMIT 100)
UNION ALL SELECT '' AS to_service, '' AS from_service, toFloat64(0) AS value
