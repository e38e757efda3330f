-- What have agents counted as lost, and why?
SELECT reason, host, sum(growth) AS lost
FROM (
    SELECT host, session, pair.1 AS reason, max(pair.2) - min(pair.2) AS growth
    FROM (SELECT host, session, arrayJoin(ledger) AS pair FROM host_status FINAL WHERE @time AND @labels)
    WHERE reason LIKE 'lost.%' OR match(reason, '^sink\\.[^.]+\\.(dropped|rejected)\\.')
    GROUP BY host, session, reason)
GROUP BY reason, host
HAVING lost > 0
ORDER BY lost DESC, reason, host
LIMIT 100
