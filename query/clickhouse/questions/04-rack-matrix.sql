-- Between which racks are segments lost?
--
-- Parameters: from, to (UTC).
-- Read: from is the rack that had to send again, to is that of its peer; one bad line against all others is a path, a
-- bad row or column is a rack. ambiguous: several hosts had the address at that time; unknown: no host of the fleet had
-- it. SYNs are not in it (08).
-- Answer, of the fleet in test/support/fleet-truth:
--   from_rack  to_rack  connections  retransmits  segments  per_1000_segments
--   r03        r09      65           348          3892      89.414
--   r07        r05      163          14           6734      2.079
--   r01        unknown  150          13           12885     1.009
--   r05        r02      135          13           3250      4
--   r04        r03      80           12           5245      2.288
--   … 163 more
SELECT rack AS from_rack, remote_rack AS to_rack,
    countIf(event = 'tcp_life') AS connections,
    countIf(event = 'tcp_retransmit') + sum(ifNull(e.retransmits_suppressed, 0)) AS retransmits,
    sumIf(ifNull(e.segments_sent, 0), event = 'tcp_life') AS segments,
    round(1000 * retransmits / segments, 3) AS per_1000_segments
FROM events_named AS e
WHERE event IN ('tcp_life', 'tcp_retransmit', 'tcp_retransmit_summary') AND ifNull(retransmit_kind, '') != 'syn'
    AND timestamp >= {from:DateTime64(9, 'UTC')} AND timestamp < {to:DateTime64(9, 'UTC')}
GROUP BY from_rack, to_rack
ORDER BY retransmits DESC, from_rack, to_rack
