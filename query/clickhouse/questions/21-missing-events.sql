-- Which events are missing, exactly?
--
-- Parameters: from, to (UTC); host.
-- Read: ranges of ordinals that never arrived, per session and CPU, and between which two host_status they were emitted.
-- Search the topic for event_id `<boot_id>-<session>-<cpu>-<ordinal>`.
-- Answer, of the fleet in test/support/fleet-truth:
--   session   cpu  first_ordinal  last_ordinal  events  emitted_after                  emitted_before
--   672d3eb6  3    3              3             1       2026-11-24 11:30:59.999000563  2026-11-24 11:31:59.999000168
--   672d3eb6  3    7              7             1       2026-11-24 11:35:59.999000426  2026-11-24 11:36:59.999000127
--   672d3eb6  3    11             11            1       2026-11-24 11:48:59.999000669  2026-11-24 11:49:59.999000379
--   672d3eb6  3    15             15            1       2026-11-24 11:49:59.999000379  2026-11-24 11:50:59.999000284
--   672d3eb6  3    19             19            1       2026-11-24 11:57:59.999000530  2026-11-24 11:58:59.999000719
--   … 4 more
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
    holes AS (
        SELECT host, boot_id, session, cpu,
            arrayJoin(bitmapToArray(bitmapAndnot(bitmapBuild(range(since, until)), bitmap))) AS missing
        FROM expected LEFT JOIN arrived USING (host, boot_id, session, cpu)
        WHERE host = {host:String}),
    ranges AS (
        SELECT session, cpu, min(missing) AS first_ordinal, max(missing) AS last_ordinal, count() AS events
        FROM (
            SELECT session, cpu, missing, missing - row_number() OVER (PARTITION BY session, cpu ORDER BY missing) AS island
            FROM holes)
        GROUP BY session, cpu, island)
SELECT session, cpu, first_ordinal, last_ordinal, events,
    maxIf(timestamp, ordinals[cpu] <= first_ordinal) AS emitted_after, minIf(timestamp, ordinals[cpu] > last_ordinal) AS emitted_before
FROM ranges INNER JOIN (
    SELECT session, timestamp, ordinals
    FROM host_status FINAL
    WHERE host = {host:String} AND timestamp >= {from:DateTime64(9, 'UTC')} AND timestamp < {to:DateTime64(9, 'UTC')}) AS reports USING (session)
GROUP BY session, cpu, first_ordinal, last_ordinal, events
ORDER BY session, cpu, first_ordinal
