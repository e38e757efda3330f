-- Who opens connections that live for moments only?
--
-- Parameters: from, to (UTC); max_ms, what counts as short.
-- Read: a client without a connection pool: each of these cost a handshake and a port. share is of all its connections
-- to that service.
-- Answer, of the fleet in test/support/fleet-truth:
--   host                    service  remote_service  short  connections  percent
--   batch-16.a.example.net  batch    api             711    711          100
--   web-146.a.example.net   web      api             1      24           4.2
SELECT host, service, remote_service, countIf(duration_us < 1000 * {max_ms:UInt64}) AS short, count() AS connections,
    round(100 * short / connections, 1) AS percent
FROM events_named AS e
WHERE event = 'tcp_life' AND direction = 'active'
    AND timestamp >= {from:DateTime64(9, 'UTC')} AND timestamp < {to:DateTime64(9, 'UTC')}
GROUP BY host, service, remote_service
HAVING short > 0
ORDER BY short DESC, host, remote_service
LIMIT 50
