-- Which hosts refused connections because nobody accepted them in time?
SELECT host, any(rack) AS rack, any(service) AS service, sum(refused) AS refusals
FROM (
    SELECT host, boot_id, rack, service,
        max(counters['TcpExt.ListenOverflows']) - min(counters['TcpExt.ListenOverflows']) AS refused
    FROM host_status FINAL
    WHERE @time AND @labels
    GROUP BY host, boot_id, rack, service)
GROUP BY host
HAVING refusals > 0
ORDER BY refusals DESC, host
LIMIT 100
