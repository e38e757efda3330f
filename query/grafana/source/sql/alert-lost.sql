-- What has each agent counted as lost, dropped or rejected in the last hour, by reason?
SELECT * FROM (
    SELECT host, reason, toFloat64(lost) AS value
    FROM @answer(37-given-up)
    ORDER BY value DESC
    LIMIT 100)
UNION ALL SELECT '' AS host, '' AS reason, toFloat64(0) AS value
