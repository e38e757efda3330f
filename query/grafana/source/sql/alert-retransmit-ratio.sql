-- Which part of its segments has each host sent again in the last 15 minutes, in percent?
SELECT * FROM (
    SELECT host, rack, toFloat64(percent) AS value
    FROM @answer(06-host-retransmit-ratio)
    WHERE sent_segments >= 1000
    ORDER BY value DESC
    LIMIT 100)
UNION ALL SELECT '' AS host, '' AS rack, toFloat64(0) AS value
