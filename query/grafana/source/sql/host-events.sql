-- What happens on this host?
SELECT toStartOfInterval(timestamp, toIntervalSecond($__interval_s)) AS time, event, count() AS events
FROM events FINAL
WHERE event IN ('tcp_connect', 'tcp_accept', 'tcp_life', 'tcp_retransmit', 'tcp_reset') AND @time
GROUP BY time, event
ORDER BY time, event
