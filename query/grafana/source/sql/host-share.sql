-- Which part of its segments does this host send again, by its kernel’s own counters?
SELECT toStartOfInterval(timestamp, toIntervalSecond($__interval_s)) AS time, sum(again) / sum(sent + again) AS share
FROM (
    SELECT timestamp,
        counters['Tcp.RetransSegs'] AS retransmitted, counters['Tcp.OutSegs'] AS segments,
        retransmitted - lagInFrame(retransmitted, 1, retransmitted) OVER since_the_last AS again,
        segments - lagInFrame(segments, 1, segments) OVER since_the_last AS sent
    FROM host_status FINAL
    WHERE @time
    WINDOW since_the_last AS (PARTITION BY boot_id ORDER BY timestamp ROWS BETWEEN 1 PRECEDING AND CURRENT ROW))
GROUP BY time
HAVING isFinite(share)
ORDER BY time
