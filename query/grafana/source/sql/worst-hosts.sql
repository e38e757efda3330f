-- Which hosts send again most, by their kernels’ own counters?
SELECT host, any(rack) AS rack, any(service) AS service, sum(retransmitted) AS retransmits, sum(sent) AS segments,
    retransmits / segments AS share
FROM (
    SELECT host, boot_id, rack, service,
        max(counters['Tcp.RetransSegs']) - min(counters['Tcp.RetransSegs']) AS retransmitted,
        max(counters['Tcp.OutSegs']) - min(counters['Tcp.OutSegs']) AS sent
    FROM host_status FINAL
    WHERE @time AND @labels
    GROUP BY host, boot_id, rack, service)
GROUP BY host
HAVING segments > 0
ORDER BY share DESC, host
LIMIT 100
