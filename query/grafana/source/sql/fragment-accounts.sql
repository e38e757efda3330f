-- The account of every host: what it emitted, what arrived, what it has given up itself. `@accounts` in the questions.
WITH
    statuses AS (
        SELECT host, boot_id, session, argMin(s.ordinals, s.timestamp) AS first_ordinals,
            argMax(s.ordinals, s.timestamp) AS last_ordinals, argMin(s.ledger, s.timestamp) AS first_ledger,
            argMax(s.ledger, s.timestamp) AS last_ledger
        FROM host_status AS s FINAL
        WHERE @time AND @labels
        GROUP BY host, boot_id, session),
    arrived AS (
        SELECT host, boot_id, session, cpu, groupBitmapMergeState(ordinals) AS bitmap
        FROM seen
        WHERE (host, boot_id, session) IN (SELECT host, boot_id, session FROM statuses)
        GROUP BY host, boot_id, session, cpu),
    counted AS (
        SELECT host, boot_id, session, sum(until - since) AS emitted,
            sum(bitmapCardinality(bitmapSubsetInRange(bitmap, since, until))) AS arrived
        FROM (
            SELECT host, boot_id, session, cpu, first_ordinals[cpu] AS since, last_ordinals[cpu] AS until
            FROM statuses ARRAY JOIN mapKeys(last_ordinals) AS cpu) AS expected
        LEFT JOIN arrived USING (host, boot_id, session, cpu)
        GROUP BY host, boot_id, session),
    accounts AS (
        SELECT host, sum(emitted) AS emitted, sum(arrived) AS arrived, emitted - arrived AS missing,
            sum(arraySum(mapValues(mapApply((reason, count) -> (reason, if(match(reason, '^sink\\.[^.]+\\.(dropped|rejected)\\.'),
                count - first_ledger[reason], 0)), last_ledger)))) AS given_up,
            toInt64(missing) - toInt64(given_up) AS unexplained
        FROM counted INNER JOIN statuses USING (host, boot_id, session)
        GROUP BY host)
