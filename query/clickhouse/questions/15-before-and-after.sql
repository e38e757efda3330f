-- Did retransmits change at a moment, or is it chance?
--
-- Parameters: from, to (UTC); moment, such as that of a deploy or a change in the network.
-- Read: share of segments that had to be sent again, before and after, with the standard score z of the difference of two
-- proportions. Losses come in bursts and many lines are compared, so only |z| from 5 on is called a change; from 3 on it is
-- perhaps one, and below nothing can be said. If only lines of one peer's rack are worse, it is the network, not the release.
-- Answer, of the fleet in test/support/fleet-truth:
--   service  remote_service  remote_rack  before  segments_before  after  segments_after  per_1000_before  per_1000_after  z     verdict
--   db       api             r09          5       4115             94     6966            1.215            13.494          6.64  worse
--   api      web             r09          3       3980             120    10637           0.754            11.281          6.2   worse
--   web      api             r09          5       2499             92     5728            2.001            16.061          5.43  worse
--   db       batch           r09          5       1448             59     2778            3.453            21.238          4.49  perhaps worse
--   api      web             r12          0       5696             11     10130           0                1.086           2.49  no clear difference
--   … 118 more
WITH (before + after) / (segments_before + segments_after) AS share
SELECT service, remote_service, remote_rack,
    sumIf(again, NOT is_after) AS before, sumIf(segments, NOT is_after) AS segments_before,
    sumIf(again, is_after) AS after, sumIf(segments, is_after) AS segments_after,
    round(1000 * before / segments_before, 3) AS per_1000_before,
    round(1000 * after / segments_after, 3) AS per_1000_after,
    round(ifNotFinite((after / segments_after - before / segments_before)
        / sqrt(share * (1 - share) * (1 / segments_before + 1 / segments_after)), 0), 2) AS z,
    multiIf(abs(z) < 3, 'no clear difference', z >= 5, 'worse', z <= -5, 'better', z > 0, 'perhaps worse', 'perhaps better') AS verdict
FROM (
    SELECT service, remote_service, remote_rack, timestamp >= {moment:DateTime64(9, 'UTC')} AS is_after,
        countIf(event = 'tcp_retransmit') + sum(ifNull(e.retransmits_suppressed, 0)) AS again,
        sumIf(ifNull(e.segments_sent, 0), event = 'tcp_life') AS segments
    FROM events_named AS e
    WHERE event IN ('tcp_life', 'tcp_retransmit', 'tcp_retransmit_summary') AND ifNull(retransmit_kind, '') != 'syn'
        AND timestamp >= {from:DateTime64(9, 'UTC')} AND timestamp < {to:DateTime64(9, 'UTC')}
    GROUP BY service, remote_service, remote_rack, is_after)
GROUP BY service, remote_service, remote_rack
HAVING segments_before > 0 AND segments_after > 0
ORDER BY z DESC, service, remote_service, remote_rack
