-- Who calls something since a moment that it never called before?
--
-- Parameters: from, to (UTC); moment, such as that of a deploy.
-- Read: new dependencies: nothing of the kind between from and moment. A peer without a name is shown by its address.
-- Answer, of the fleet in test/support/fleet-truth:
--   service  peer        port  first_seen                     connects  hosts
--   api      192.0.2.80  9092  2026-11-24 12:30:17.789145152  77        41
SELECT service, if(remote_host IN ('unknown', 'ambiguous'), replaceOne(toString(remote_address), '::ffff:', ''), remote_service) AS peer,
    remote_port AS port, min(timestamp) AS first_seen, count() AS connects, uniqExact(host) AS hosts
FROM events_named AS e
WHERE event = 'tcp_connect' AND timestamp >= {from:DateTime64(9, 'UTC')} AND timestamp < {to:DateTime64(9, 'UTC')}
GROUP BY service, peer, port
HAVING first_seen >= {moment:DateTime64(9, 'UTC')}
ORDER BY connects DESC, service, peer, port
