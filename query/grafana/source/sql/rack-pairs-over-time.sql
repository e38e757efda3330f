-- How do the ten worst pairs of racks change over time?
SELECT toStartOfInterval(timestamp, toIntervalSecond($__interval_s)) AS time, concat(rack, ' → ', remote_rack) AS pair, countIf(event = 'tcp_retransmit') + sum(ifNull(retransmits_suppressed, 0)) AS retransmits
FROM events_named
WHERE event IN ('tcp_retransmit', 'tcp_retransmit_summary') AND ifNull(retransmit_kind, '') != 'syn' AND @time AND @labels
    AND (rack, remote_rack) IN (
        SELECT rack, remote_rack
        FROM events_named
        WHERE event IN ('tcp_retransmit', 'tcp_retransmit_summary') AND ifNull(retransmit_kind, '') != 'syn' AND @time AND @labels
        GROUP BY rack, remote_rack
        ORDER BY countIf(event = 'tcp_retransmit') + sum(ifNull(retransmits_suppressed, 0)) DESC
        LIMIT 10)
GROUP BY time, pair
ORDER BY time, pair
