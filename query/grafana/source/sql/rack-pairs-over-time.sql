-- How do the ten worst pairs of racks change over time?
SELECT toStartOfInterval(timestamp, toIntervalSecond($__interval_s)) AS time, concat(rack, ' → ', remote_rack) AS pair,
    countIf(event = 'tcp_retransmit') + sum(ifNull(retransmits_suppressed, 0)) AS retransmits
FROM events_named
WHERE event IN ('tcp_retransmit', 'tcp_retransmit_summary') AND ifNull(retransmit_kind, '') != 'syn' AND @time
    AND (rack, remote_rack) IN (
        SELECT from_rack, to_rack
        FROM @answer(04-rack-matrix)
        ORDER BY retransmits DESC
        LIMIT 10)
GROUP BY time, pair
ORDER BY time, pair
