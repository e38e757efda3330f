-- What has each agent counted as lost, dropped or rejected in the last hour, by reason?
SELECT * FROM (
    SELECT host, reason, toFloat64(sum(growth)) AS value
    FROM (
        SELECT host, session, pair.1 AS reason, max(pair.2) - min(pair.2) AS growth
        FROM (
            SELECT host, session, arrayJoin(ledger) AS pair
            FROM host_status FINAL
            WHERE @time)
        WHERE reason LIKE 'lost.%' OR match(reason, '^sink\\.[^.]+\\.(dropped|rejected)\\.')
        GROUP BY host, session, reason)
    GROUP BY host, reason
    ORDER BY value DESC
    LIMIT 100)
UNION ALL SELECT '' AS host, '' AS reason, toFloat64(0) AS value
