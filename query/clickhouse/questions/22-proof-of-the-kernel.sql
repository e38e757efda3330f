-- Did the agents record what the kernels counted?
--
-- Parameters: from, to (UTC).
-- Read: retransmits between the first and last host_status of a session: the kernel's RetransSegs, against events here,
-- those the limit kept back (suppressed), and records the agent knows it lost. difference is what none of these
-- explains. With segmentation offload one record stands for several segments: then the kernel has more. Without
-- tcp_trace.ko, or with tcp_retransmit filtered, compare within one kind of host only.
-- Answer, of the fleet in test/support/fleet-truth:
--   host                    session   kernel  events  suppressed  lost_records  difference
--   api-111.a.example.net   0f1e46ed  32      7       0           25            0
--   db-170.a.example.net    2b607abb  95      95      0           0             0
--   batch-16.a.example.net  d672f312  66      66      0           0             0
--   batch-56.b.example.net  db095923  42      42      0           0             0
--   batch-36.a.example.net  01058cd1  39      39      0           0             0
--   … 45 more
WITH
    spans AS (
        SELECT host, boot_id, session, min(s.timestamp) AS since, max(s.timestamp) AS until,
            argMax(s.counters, s.timestamp)['Tcp.RetransSegs'] - argMin(s.counters, s.timestamp)['Tcp.RetransSegs'] AS kernel,
            argMax(s.ledger, s.timestamp) AS last_ledger, argMin(s.ledger, s.timestamp) AS first_ledger,
            last_ledger['suppressed.tcp_retransmit'] - first_ledger['suppressed.tcp_retransmit'] AS suppressed,
            arraySum(arrayMap(reason -> if(reason LIKE 'lost.%', last_ledger[reason] - first_ledger[reason], 0), mapKeys(last_ledger))) AS lost_records
        FROM host_status AS s FINAL
        WHERE timestamp >= {from:DateTime64(9, 'UTC')} AND timestamp < {to:DateTime64(9, 'UTC')}
        GROUP BY host, boot_id, session),
    recorded AS (
        SELECT host, boot_id, session, count() AS events
        FROM events AS e FINAL
        INNER JOIN spans USING (host, boot_id, session)
        WHERE event = 'tcp_retransmit' AND e.timestamp >= since AND e.timestamp < until
            AND e.timestamp >= {from:DateTime64(9, 'UTC')} AND e.timestamp < {to:DateTime64(9, 'UTC')}
        GROUP BY host, boot_id, session)
SELECT host, session, kernel, events, suppressed, lost_records,
    toInt64(kernel) - toInt64(events) - toInt64(suppressed) - toInt64(lost_records) AS difference
FROM spans LEFT JOIN recorded USING (host, boot_id, session)
ORDER BY abs(difference) DESC, lost_records DESC, kernel DESC, host, session
LIMIT 50
