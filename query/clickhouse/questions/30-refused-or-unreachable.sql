-- Do failed connects get a refusal, or nothing at all?
--
-- Parameters: from, to (UTC).
-- Read: refused: a reset came back at once, nobody listens there. unreachable: no answer until the kernel gave up. Time
-- is what the program waited.
-- Answer, of the fleet in test/support/fleet-truth:
--   peer        port  service  how          failed  waited_ms
--   10.200.0.9  9100  batch    unreachable  120     15000
SELECT replaceOne(toString(remote_address), '::ffff:', '') AS peer, remote_port AS port, service,
    if(duration_us >= 1000000, 'unreachable', 'refused') AS how, count() AS failed,
    round(quantileExact(0.5)(duration_us) / 1000, 1) AS waited_ms
FROM (
    SELECT remote_address, remote_port, service, duration_us
    FROM events
    WHERE event = 'tcp_state' AND old_state = 'SYN_SENT' AND new_state = 'CLOSE'
        AND timestamp >= {from:DateTime64(9, 'UTC')} AND timestamp < {to:DateTime64(9, 'UTC')}
    -- Each once, as by FINAL, which would read all changes of state for the few that are wanted.
    LIMIT 1 BY host, boot_id, session, cpu, ordinal)
GROUP BY remote_address, port, service, how
ORDER BY failed DESC, peer, port, service
