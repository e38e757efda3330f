-- What have agents lost, dropped, or had rejected, and why?
--
-- Parameters: from, to (UTC).
-- Read: from the agents' own account. lost.kernel_overrun: the ring buffer was full (source.buffer_kb); lost.crash: the
-- agent was killed; dropped.spool_full: the destination was away for longer than the spool has room; rejected: the
-- destination refused these events for good. What an agent knew at its start counts if it started in this time.
-- Answer, of the fleet in test/support/fleet-truth:
--   reason                         host                   lost
--   lost.kernel_overrun            api-111.a.example.net  25
--   sink.kafka.dropped.spool_full  db-70.b.example.net    12
SELECT reason, host, sum(growth) AS lost
FROM (
    SELECT host, arrayJoin(mapKeys(last)) AS reason, last[reason] - if(is_start, 0, first[reason]) AS growth
    FROM (
        SELECT host, argMin(s.ledger, s.timestamp) AS first, argMax(s.ledger, s.timestamp) AS last,
            min(s.timestamp) - toIntervalSecond(argMin(s.uptime_s, s.timestamp)) >= {from:DateTime64(9, 'UTC')} AS is_start
        FROM host_status AS s FINAL
        WHERE timestamp >= {from:DateTime64(9, 'UTC')} AND timestamp < {to:DateTime64(9, 'UTC')}
        GROUP BY host, boot_id, session)
    WHERE reason LIKE 'lost.%' OR reason LIKE 'sink.%.dropped.%' OR reason LIKE 'sink.%.rejected.%')
GROUP BY reason, host
HAVING lost > 0
ORDER BY lost DESC, reason, host
LIMIT 50
