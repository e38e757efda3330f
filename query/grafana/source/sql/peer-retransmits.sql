-- What is sent again to this peer, and since when?
SELECT toStartOfInterval(timestamp, toIntervalSecond($__interval_s)) AS time, retransmit_kind, count() AS retransmits
FROM events FINAL
WHERE event = 'tcp_retransmit' AND @time AND remote_address = toIPv6({address:String})
GROUP BY time, retransmit_kind
ORDER BY time, retransmit_kind
