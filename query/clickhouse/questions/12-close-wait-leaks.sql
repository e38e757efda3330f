-- Which programs do not close what the peer has closed?
--
-- Parameters: from, to (UTC); min_age_s, how long a connection may stay in CLOSE_WAIT.
-- Read: connections that went into CLOSE_WAIT and had not left it by `to`. Their number grows until the program has no
-- file descriptors left; restart helps, a close() in the program cures.
-- Answer, of the fleet in test/support/fleet-truth:
--   service  comm       leaked  hosts  oldest
--   queue    beam.smp   197     10     2026-11-24 11:30:09.424579234
--   cache    memcached  1       1      2026-11-24 11:50:01.912444167
--   db       postgres   1       1      2026-11-24 12:15:41.708604837
SELECT program.1 AS service, program.2 AS comm, count() AS leaked, uniqExact(host) AS hosts, min(entered) AS oldest
FROM (
    SELECT host, connection_id, any((service, comm)) AS program, min(timestamp) AS entered
    -- An event that came twice changes nothing; FINAL would read all changes of state for the few that are wanted.
    FROM events
    WHERE event = 'tcp_state' AND (new_state = 'CLOSE_WAIT' OR old_state = 'CLOSE_WAIT')
        AND timestamp >= {from:DateTime64(9, 'UTC')} AND timestamp < {to:DateTime64(9, 'UTC')}
    GROUP BY host, connection_id
    HAVING countIf(old_state = 'CLOSE_WAIT') = 0
        AND entered < {to:DateTime64(9, 'UTC')} - toIntervalSecond({min_age_s:UInt64}))
GROUP BY service, comm
ORDER BY leaked DESC, service, comm
