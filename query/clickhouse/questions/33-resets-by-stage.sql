-- At which stage are connections reset, and by whom?
--
-- Parameters: from, to (UTC).
-- Read: SYN_SENT received: refused. ESTABLISHED sent: this side's program gave up or crashed; received: the peer's did,
-- or a firewall forgot the connection. TIME_WAIT and CLOSE are mostly harmless.
-- Answer, of the fleet in test/support/fleet-truth:
--   service  state        direction  resets  peers
--   web      ESTABLISHED  sent       855     15
--   web      ESTABLISHED  received   395     28
--   api      ESTABLISHED  sent       47      25
--   api      ESTABLISHED  received   18      16
--   batch    ESTABLISHED  received   15      13
--   … 3 more
SELECT service, state, reset_direction AS direction, count() AS resets, uniqExact(remote_address) AS peers
FROM events FINAL
WHERE event = 'tcp_reset' AND timestamp >= {from:DateTime64(9, 'UTC')} AND timestamp < {to:DateTime64(9, 'UTC')}
GROUP BY service, state, direction
ORDER BY resets DESC, service, state, direction
