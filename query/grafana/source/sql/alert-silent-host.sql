-- Since how many seconds has each host of the last day been silent?
SELECT * FROM (
    SELECT host, rack, toFloat64(silent_for_s) AS value
    FROM @answer(18-silent-hosts)
    ORDER BY value DESC
    LIMIT 100)
UNION ALL SELECT '' AS host, '' AS rack, toFloat64(0) AS value
