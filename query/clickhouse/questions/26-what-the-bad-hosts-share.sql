-- What do the hosts with retransmits have in common?
--
-- Parameters: from, to (UTC).
-- Read: for each value of each label: its share of the retransmits against its share of the segments sent. lift 1 is
-- average; a high lift with many hosts is the common cause.
-- Answer, of the fleet in test/support/fleet-truth:
--   label       value    retransmits  hosts  percent_of_retransmits  percent_of_segments  lift
--   rack        r03      394          17     41.4                    8.7                  4.76
--   owner       billing  46           10     4.8                     1.8                  2.67
--   service     batch    46           10     4.8                     1.8                  2.67
--   service     db       210          30     22.1                    14.7                 1.5
--   datacenter  a        694          99     72.9                    52.4                 1.39
--   … 21 more
SELECT label, value, sum(again) AS retransmits, count() AS hosts,
    round(100 * retransmits / sum(retransmits) OVER (PARTITION BY label), 1) AS percent_of_retransmits,
    round(100 * sum(segments) / sum(sum(segments)) OVER (PARTITION BY label), 1) AS percent_of_segments,
    round(percent_of_retransmits / percent_of_segments, 2) AS lift
FROM (
    SELECT host, any(e.labels) AS host_labels, countIf(event = 'tcp_retransmit') + sum(ifNull(e.retransmits_suppressed, 0)) AS again,
        sumIf(ifNull(e.segments_sent, 0), event = 'tcp_life') AS segments
    FROM events AS e FINAL
    WHERE event IN ('tcp_life', 'tcp_retransmit', 'tcp_retransmit_summary') AND ifNull(retransmit_kind, '') != 'syn'
        AND timestamp >= {from:DateTime64(9, 'UTC')} AND timestamp < {to:DateTime64(9, 'UTC')}
    GROUP BY host
    -- Without tcp_trace.ko nobody counts segments: such a host has no share of them.
    HAVING segments > 0)
ARRAY JOIN mapKeys(host_labels) AS label, mapValues(host_labels) AS value
WHERE label NOT IN ('version')
GROUP BY label, value
ORDER BY lift DESC, retransmits DESC, label, value
