-- Which part of all segments was sent again, by the kernels’ own counters?
SELECT sum(retransmitted) / sum(sent) AS share
FROM (
    SELECT host, boot_id,
        max(counters['Tcp.RetransSegs']) - min(counters['Tcp.RetransSegs']) AS retransmitted,
        max(counters['Tcp.OutSegs']) - min(counters['Tcp.OutSegs']) AS sent
    FROM host_status FINAL
    WHERE @time AND @labels
    GROUP BY host, boot_id)
