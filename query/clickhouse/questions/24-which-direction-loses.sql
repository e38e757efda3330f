-- Which direction between two racks loses segments?
--
-- Parameters: from, to (UTC); rack_a, rack_b.
-- Read: who sends again has lost what it sent. One direction only: look for a bad transmitter, cable or a congested
-- uplink there. Both alike: the path or the peer is overloaded.
-- Answer, of the fleet in test/support/fleet-truth:
--   from_rack  to_rack  retransmits  segments  per_1000_segments  hosts  peers
--   r03        r09      348          3892      89.414             17     16
--   r09        r03      6            3414      1.757              16     17
SELECT rack AS from_rack, remote_rack AS to_rack, countIf(event = 'tcp_retransmit') + sum(ifNull(e.retransmits_suppressed, 0)) AS retransmits,
    sumIf(ifNull(e.segments_sent, 0), event = 'tcp_life') AS segments,
    round(1000 * retransmits / segments, 3) AS per_1000_segments, uniqExact(host) AS hosts, uniqExact(remote_address) AS peers
FROM events_named AS e
WHERE event IN ('tcp_life', 'tcp_retransmit', 'tcp_retransmit_summary') AND ifNull(retransmit_kind, '') != 'syn'
    AND ((rack = {rack_a:String} AND remote_rack = {rack_b:String}) OR (rack = {rack_b:String} AND remote_rack = {rack_a:String}))
    AND timestamp >= {from:DateTime64(9, 'UTC')} AND timestamp < {to:DateTime64(9, 'UTC')}
GROUP BY from_rack, to_rack
ORDER BY retransmits DESC
