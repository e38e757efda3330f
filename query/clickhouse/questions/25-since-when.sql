-- Since when does it lose between two racks?
--
-- Parameters: from, to (UTC); rack_a, rack_b.
-- Read: five-minute steps from rack_a to rack_b. since is the first step with more than five times the median of the
-- steps before it (at least ten retransmits), repeated in every line; empty if there is none.
-- Answer, of the fleet in test/support/fleet-truth:
--   step                 retransmits  since
--   2026-11-24 11:30:00  0            2026-11-24 12:10:00
--   2026-11-24 11:35:00  0            2026-11-24 12:10:00
--   2026-11-24 11:40:00  0            2026-11-24 12:10:00
--   2026-11-24 11:45:00  0            2026-11-24 12:10:00
--   2026-11-24 11:50:00  0            2026-11-24 12:10:00
--   … 19 more
SELECT step, retransmits, minIf(step, is_jump) OVER () AS since
FROM (
    SELECT step, retransmits,
        retransmits >= 10 AND retransmits > 5 * ifNotFinite(quantileExact(0.5)(retransmits) OVER (
            ORDER BY step ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS is_jump
    FROM (
        SELECT toStartOfFiveMinutes(timestamp) AS step, countIf(event = 'tcp_retransmit') + sum(ifNull(e.retransmits_suppressed, 0)) AS retransmits
        FROM events_named AS e
        WHERE event IN ('tcp_retransmit', 'tcp_retransmit_summary') AND ifNull(retransmit_kind, '') != 'syn'
            AND rack = {rack_a:String} AND remote_rack = {rack_b:String}
            AND timestamp >= {from:DateTime64(9, 'UTC')} AND timestamp < {to:DateTime64(9, 'UTC')}
        GROUP BY step
        ORDER BY step WITH FILL FROM toStartOfFiveMinutes({from:DateTime64(9, 'UTC')}) TO toDateTime({to:DateTime64(9, 'UTC')}) STEP 300))
ORDER BY step
