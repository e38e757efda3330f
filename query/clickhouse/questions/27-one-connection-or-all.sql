-- Is it one bad connection to a peer, or all?
--
-- Parameters: from, to (UTC); remote_host, the name of the peer.
-- Read: connections that ended, by whether they had retransmits. Few of many: a single path of several (ECMP) or one
-- bad client. Nearly all: the peer, its link, or the way to it.
-- Answer, of the fleet in test/support/fleet-truth:
--   from_rack  connections  with_retransmits  percent  most  total
--   r03        2            1                 50       9     9
--   r05        12           1                 8.3      2     2
--   r10        5            1                 20       1     1
--   r01        7            0                 0        0     0
--   r02        5            0                 0        0     0
--   … 7 more
SELECT rack AS from_rack, count() AS connections, countIf(retransmits > 0) AS with_retransmits,
    round(100 * with_retransmits / connections, 1) AS percent, max(ifNull(retransmits, 0)) AS most, sum(ifNull(retransmits, 0)) AS total
FROM events_named AS e
WHERE event = 'tcp_life' AND remote_host = {remote_host:String}
    AND timestamp >= {from:DateTime64(9, 'UTC')} AND timestamp < {to:DateTime64(9, 'UTC')}
GROUP BY from_rack
ORDER BY total DESC, from_rack
