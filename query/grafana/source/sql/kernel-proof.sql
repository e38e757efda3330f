-- Did the agents record what the kernels counted? Retransmits of both, and what the agents know they left out.
WITH
    spans AS (
        SELECT host, boot_id, session, min(s.timestamp) AS since, max(s.timestamp) AS until,
            argMax(s.counters, s.timestamp)['Tcp.RetransSegs'] - argMin(s.counters, s.timestamp)['Tcp.RetransSegs'] AS kernel,
            argMax(s.ledger, s.timestamp) AS last, argMin(s.ledger, s.timestamp) AS first,
            last['suppressed.tcp_retransmit'] - first['suppressed.tcp_retransmit'] AS suppressed,
            arraySum(arrayMap(name -> if(startsWith(name, 'lost.'), last[name] - first[name], 0), mapKeys(last))) AS lost
        FROM host_status AS s FINAL
        WHERE @time AND @labels
        GROUP BY host, boot_id, session),
    recorded AS (
        SELECT host, session, count() AS events
        FROM events AS e FINAL INNER JOIN spans USING (host, boot_id, session)
        WHERE event = 'tcp_retransmit' AND @time AND e.timestamp >= since AND e.timestamp < until
        GROUP BY host, session)
SELECT host, session, kernel, events, suppressed, lost,
    toInt64(kernel) - toInt64(events) - toInt64(suppressed) - toInt64(lost) AS difference
FROM spans LEFT JOIN recorded USING (host, session)
ORDER BY abs(difference) DESC, kernel DESC, host, session
LIMIT 100
