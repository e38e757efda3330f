-- How many events of each host were acknowledged in the last two hours and did not arrive within ten minutes?
@accounts
SELECT * FROM (
    SELECT host, toFloat64(greatest(unexplained, 0)) AS value
    FROM accounts
    ORDER BY value DESC
    LIMIT 100)
UNION ALL SELECT '' AS host, toFloat64(0) AS value
