-- Which events are missing, exactly?
--
-- Parameters: from, to (UTC); host.
-- Read: ranges of ordinals that never arrived, per session and CPU, and between which moments they were emitted. Search
-- the topic for event_id `<boot_id>-<session>-<cpu>-<ordinal>`.
-- Answer, of the fleet in test/support/fleet-truth:
--   session   cpu  first_ordinal  last_ordinal  events
--   672d3eb6  3    3              3             1
--   672d3eb6  3    7              7             1
--   672d3eb6  3    11             11            1
--   672d3eb6  3    15             15            1
--   672d3eb6  3    19             19            1
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
SELECT session, cpu, first_ordinal, last_ordinal, events
FROM ranges
ORDER BY session, cpu, first_ordinal
