-- What happened to one connection?
--
-- Parameters: from, to (UTC); host and connection_id, as an event names them.
-- Read: everything the host recorded, in order. gap_ms is the time since the line before: where a connection stood
-- still.
-- Answer, of the fleet in test/support/fleet-truth:
--   timestamp                      event                old_state    new_state    retransmit_kind  reset_direction  duration_us  latency_us  srtt_us  bytes_sent  bytes_received  gap_ms
--   2026-11-24 11:30:09.604072629  tcp_state            CLOSE        SYN_SENT     null             null             null         null        null     null        null            0
--   2026-11-24 11:30:09.604072630  tcp_connect          null         null         null             null             null         null        null     null        null            0
--   2026-11-24 11:30:09.606147728  tcp_state            SYN_SENT     ESTABLISHED  null             null             2075         null        null     null        null            2.075
--   2026-11-24 11:30:09.606147811  tcp_connect_latency  null         null         null             null             null         2075        null     null        null            0
--   2026-11-24 11:30:09.611945994  tcp_state            ESTABLISHED  FIN_WAIT1    null             null             5798         null        null     null        null            5.798
--   … 3 more
SELECT timestamp, event, old_state, new_state, retransmit_kind, reset_direction, duration_us, latency_us, srtt_us, bytes_sent, bytes_received,
    round((toUnixTimestamp64Nano(timestamp) - lagInFrame(toUnixTimestamp64Nano(timestamp), 1, toUnixTimestamp64Nano(timestamp)) OVER (
        ORDER BY timestamp, cpu, ordinal ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)) / 1e6, 3) AS gap_ms
FROM events FINAL
WHERE host = {host:String} AND connection_id = {connection_id:String}
    AND timestamp >= {from:DateTime64(9, 'UTC')} AND timestamp < {to:DateTime64(9, 'UTC')}
ORDER BY timestamp, cpu, ordinal
