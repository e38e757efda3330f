-- Since when, and what kind: timeout, fast, probe, handshake?
SELECT toStartOfInterval(timestamp, toIntervalSecond($__interval_s)) AS time, retransmit_kind, count() AS retransmits
FROM events FINAL
WHERE event = 'tcp_retransmit' AND @time
GROUP BY time, retransmit_kind
ORDER BY time, retransmit_kind
