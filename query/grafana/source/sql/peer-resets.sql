-- Who resets the connections with it?
SELECT host, reset_direction AS side, ifNull(state, '') AS in_state, count() AS resets
FROM events FINAL
WHERE event = 'tcp_reset' AND @time
GROUP BY host, side, in_state
ORDER BY resets DESC, host, side, in_state
LIMIT 100
