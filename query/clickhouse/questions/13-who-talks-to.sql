-- Who talks to a service, and how much?
--
-- Parameters: from, to (UTC); service.
-- Read: connections that hosts of the service accepted, by who opened them. What should not be in this list is a
-- finding too.
-- Answer, of the fleet in test/support/fleet-truth:
--   from_service  port  clients  connections  bytes_in  bytes_out
--   api           5432  60       1109         44783797  132979934
--   batch         5432  10       225          8720319   26325493
SELECT remote_service AS from_service, local_port AS port, uniqExact(remote_address) AS clients, count() AS connections,
    sum(ifNull(bytes_received, 0)) AS bytes_in, sum(ifNull(bytes_sent, 0)) AS bytes_out
FROM events_named AS e
WHERE event = 'tcp_life' AND direction = 'passive' AND service = {service:String}
    AND timestamp >= {from:DateTime64(9, 'UTC')} AND timestamp < {to:DateTime64(9, 'UTC')}
GROUP BY from_service, port
ORDER BY connections DESC, from_service, port
