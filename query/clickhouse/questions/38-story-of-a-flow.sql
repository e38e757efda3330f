-- What do all hosts say about the flow that a packet capture, Zeek or Suricata names?
--
-- Parameters: from, to (UTC); community_id, as they print it.
-- Read: everything that the hosts of both ends recorded, in order of their clocks. What one end sent and the other has
-- not received was lost with the connection. Nothing at all: neither end has an agent, or the flow began before from.
-- Takes two seconds of CPU per ten million events between from and to, because the identifier is computed and not stored,
-- where it would take 21 bytes of each event.
-- Answer, of the fleet in test/support/fleet-truth:
--   timestamp                      host                    event        direction  old_state  new_state    retransmit_kind  reset_direction  duration_us  latency_us  bytes_sent  bytes_received  retransmits
--   2026-11-24 11:30:09.604072629  batch-16.a.example.net  tcp_state    active     CLOSE      SYN_SENT     null             null             null         null        null        null            null
--   2026-11-24 11:30:09.604072630  batch-16.a.example.net  tcp_connect  active     null       null         null             null             null         null        null        null            null
--   2026-11-24 11:30:09.606147728  batch-16.a.example.net  tcp_state    active     SYN_SENT   ESTABLISHED  null             null             2075         null        null        null            null
--   2026-11-24 11:30:09.606147746  api-138.b.example.net   tcp_state    passive    SYN_RECV   ESTABLISHED  null             null             2000         null        null        null            null
--   2026-11-24 11:30:09.606147747  api-138.b.example.net   tcp_accept   passive    null       null         null             null             null         null        null        null            null
--   … 9 more
SELECT timestamp, host, event, direction, old_state, new_state, retransmit_kind, reset_direction, duration_us, latency_us, bytes_sent, bytes_received,
    retransmits
FROM events FINAL
WHERE (local_address, local_port, remote_address, remote_port) IN (
        SELECT if(is_other_end, remote_address, local_address), if(is_other_end, remote_port, local_port),
            if(is_other_end, local_address, remote_address), if(is_other_end, local_port, remote_port)
        FROM (
            -- The identifier is computed from these four: for the events that each connection has once, and not for all.
            SELECT DISTINCT local_address, local_port, remote_address, remote_port
            FROM events
            WHERE event IN ('tcp_connect', 'tcp_accept', 'tcp_life') AND community_id = {community_id:String}
                AND timestamp >= {from:DateTime64(9, 'UTC')} AND timestamp < {to:DateTime64(9, 'UTC')})
        ARRAY JOIN [false, true] AS is_other_end)
    AND timestamp >= {from:DateTime64(9, 'UTC')} AND timestamp < {to:DateTime64(9, 'UTC')}
ORDER BY timestamp, host, cpu, ordinal
