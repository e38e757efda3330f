-- How many events came more than once?
--
-- Parameters: from, to (UTC).
-- Read: harmless: FINAL shows each once. Many, for long: a consumer that cannot commit, or an agent that cannot save
-- its cursor. What the engine has merged already is not counted, so this is a lower bound. It counts every event between
-- from and to twice, which takes some 1.5 seconds of CPU per ten million of them.
-- Answer, after the first 3,000 lines of a topic were consumed again:
--   host                    row_count  events  repeats
--   batch-16.a.example.net  1790       1320    470
--   api-14.a.example.net    296        214     82
--   api-04.a.example.net    248        172     76
SELECT host, row_count, different AS events, row_count - different AS repeats
FROM (
    SELECT host, count() AS row_count
    FROM events
    WHERE timestamp >= {from:DateTime64(9, 'UTC')} AND timestamp < {to:DateTime64(9, 'UTC')}
    GROUP BY host) AS every
INNER JOIN (
    SELECT host, count() AS different
    FROM events FINAL
    WHERE timestamp >= {from:DateTime64(9, 'UTC')} AND timestamp < {to:DateTime64(9, 'UTC')}
    GROUP BY host) AS once USING (host)
WHERE repeats > 0
ORDER BY repeats DESC, host
LIMIT 50
