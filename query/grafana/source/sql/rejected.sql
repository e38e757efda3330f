-- What arrived that was no event, and why?
SELECT reason, host, count() AS lines, max(received_at) AS last
FROM rejected FINAL
WHERE received_at >= fromUnixTimestamp64Milli(toInt64(${__from})) AND received_at < fromUnixTimestamp64Milli(toInt64(${__to}))
GROUP BY reason, host
ORDER BY lines DESC, reason, host
LIMIT 100
