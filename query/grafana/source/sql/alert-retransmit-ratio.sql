-- Which part of its segments has each host sent again in the last 15 minutes?
SELECT * FROM (
    SELECT host, rack, toFloat64(max(share)) AS value
    FROM (
        SELECT host, any(rack) AS rack, boot_id,
            max(counters['Tcp.OutSegs']) - min(counters['Tcp.OutSegs']) AS sent,
            (max(counters['Tcp.RetransSegs']) - min(counters['Tcp.RetransSegs'])) / sent AS share
        FROM host_status FINAL
        WHERE @time
        GROUP BY host, boot_id
        HAVING sent >= 1000)
    GROUP BY host, rack
    ORDER BY value DESC
    LIMIT 100)
UNION ALL SELECT '' AS host, '' AS rack, toFloat64(0) AS value
