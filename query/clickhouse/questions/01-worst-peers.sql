-- Which peers have the worst share of retransmits?
--
-- Parameters: from, to (UTC); min_segments, the least a peer must have been sent.
-- Read: each line is a peer, as seen by all hosts. Segments are counted when a connection ends, so a peer with only
-- open connections is not in it; 0.1 % is usual, more than 1 % is felt.
-- Answer, of the fleet in test/support/fleet-truth:
--   peer        remote_host              remote_rack  retransmits  segments  percent
--   10.2.9.165  api-164.b.example.net    r09          63           3084      2.043
--   10.2.9.141  web-140.b.example.net    r09          29           1739      1.668
--   10.2.9.57   batch-56.b.example.net   r09          21           1610      1.304
--   10.2.9.117  batch-116.b.example.net  r09          37           2963      1.249
--   10.2.9.189  api-188.b.example.net    r09          34           2933      1.159
--   … 45 more
SELECT replaceOne(toString(remote_address), '::ffff:', '') AS peer, remote_host, remote_rack,
    countIf(event = 'tcp_retransmit') + sum(ifNull(e.retransmits_suppressed, 0)) AS retransmits,
    sumIf(ifNull(e.segments_sent, 0), event = 'tcp_life') AS segments,
    round(100 * retransmits / segments, 3) AS percent
FROM events_named AS e
WHERE event IN ('tcp_life', 'tcp_retransmit', 'tcp_retransmit_summary') AND ifNull(retransmit_kind, '') != 'syn'
    AND timestamp >= {from:DateTime64(9, 'UTC')} AND timestamp < {to:DateTime64(9, 'UTC')}
GROUP BY remote_address, remote_host, remote_rack
HAVING segments >= {min_segments:UInt64}
ORDER BY percent DESC, peer
LIMIT 50
