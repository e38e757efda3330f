-- Which hosts move most bytes, to whom, over months?
--
-- Parameters: from, to (UTC).
-- Read: from the sums per five minutes, which stay when the events are gone. Bytes are counted when a connection ends.
-- Answer, of the fleet in test/support/fleet-truth:
--   host                    peer          sent     received  connections  retransmitted
--   batch-96.a.example.net  10.1.4.4      46764    5052552   3            0
--   db-03.a.example.net     10.1.1.97     5052552  46764     3            0
--   web-95.b.example.net    203.0.113.94  4465241  81061     1            0
--   api-181.a.example.net   10.1.4.100    3727213  20836     1            0
--   web-102.b.example.net   203.0.113.4   3314907  61018     1            0
--   … 45 more
SELECT host,
    if(remote_address = toIPv6('::'), 'unknown', replaceOne(toString(remote_address), '::ffff:', '')) AS peer,
    sum(t.bytes_sent) AS sent, sum(t.bytes_received) AS received,
    sum(lives) AS connections, sum(t.retransmits) AS retransmitted
FROM peer_traffic AS t
WHERE bucket >= toDateTime({from:DateTime64(9, 'UTC')}) AND bucket < toDateTime({to:DateTime64(9, 'UTC')})
GROUP BY host, remote_address
ORDER BY sent + received DESC, host, peer
LIMIT 50
