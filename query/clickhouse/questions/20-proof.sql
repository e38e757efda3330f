-- Is anything missing between the agents and these tables?
--
-- Parameters: from, to (UTC).
-- Read: between the first and the last host_status of each agent's session. emitted is what the agent numbered, arrived
-- the different events that are here, missing the difference. Of these the agent itself counted `given_up`, by reason;
-- `unexplained` were acknowledged by the sink and did not arrive: look at Kafka's retention, at the consumer, and at
-- `rejected` (31). Zero everywhere is the proof. Events of the last minutes may still be on their way.
-- Answer, of the fleet in test/support/fleet-truth:
--   host                     session   emitted  arrived  missing  given_up                              unexplained
--   db-57.b.example.net      a12aec33  308      268      40       {}                                    40
--   api-21.b.example.net     77e1c990  900      883      17       {}                                    17
--   cache-133.a.example.net  672d3eb6  537      528      9        {}                                    9
--   db-70.b.example.net      e226dce2  350      338      12       {"sink.kafka.dropped.spool_full":12}  0
--   api-01.a.example.net     2c214efc  701      701      0        {}                                    0
--   … 45 more
WITH
    statuses AS (
        SELECT host, boot_id, session, count() AS reports,
            argMin(s.ordinals, s.timestamp) AS first_ordinals, argMax(s.ordinals, s.timestamp) AS last_ordinals,
            argMin(s.ledger, s.timestamp) AS first_ledger, argMax(s.ledger, s.timestamp) AS last_ledger
        FROM host_status AS s FINAL
        WHERE timestamp >= {from:DateTime64(9, 'UTC')} AND timestamp < {to:DateTime64(9, 'UTC')}
        GROUP BY host, boot_id, session),
    expected AS (
        SELECT host, boot_id, session, cpu, first_ordinals[cpu] AS since, last_ordinals[cpu] AS until
        FROM statuses ARRAY JOIN mapKeys(last_ordinals) AS cpu),
    arrived AS (
        SELECT host, boot_id, session, cpu, groupBitmapMergeState(ordinals) AS bitmap
        FROM seen
        -- An event that connection tracking held has an earlier time than its number tells.
        WHERE hour >= toStartOfHour({from:DateTime64(9, 'UTC')}) - INTERVAL 1 HOUR AND hour < {to:DateTime64(9, 'UTC')}
            AND (host, boot_id, session) IN (SELECT host, boot_id, session FROM statuses)
        GROUP BY host, boot_id, session, cpu),
    per_session AS (
        SELECT host, boot_id, session, sum(until - since) AS emitted,
            sum(bitmapCardinality(bitmapSubsetInRange(bitmap, since, until))) AS arrived
        FROM expected LEFT JOIN arrived USING (host, boot_id, session, cpu)
        GROUP BY host, boot_id, session)
SELECT host, session, emitted, arrived, emitted - arrived AS missing,
    mapFilter((reason, count) -> count > 0 AND (reason LIKE 'sink.%.dropped.%' OR reason LIKE 'sink.%.rejected.%'),
        mapApply((reason, count) -> (reason, count - first_ledger[reason]), last_ledger)) AS given_up,
    toInt64(missing) - toInt64(arraySum(mapValues(given_up))) AS unexplained
FROM per_session INNER JOIN statuses USING (host, boot_id, session)
ORDER BY unexplained DESC, missing DESC, host, session
LIMIT 50
