-- How many events of each host were acknowledged in the last two hours and did not arrive within ten minutes?
SELECT * FROM (
    SELECT host, toFloat64(sum(greatest(unexplained, 0))) AS value
    FROM @answer(20-proof)
    GROUP BY host
    ORDER BY value DESC
    LIMIT 100)
UNION ALL SELECT '' AS host, toFloat64(0) AS value
