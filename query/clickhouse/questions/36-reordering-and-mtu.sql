-- Which hosts see reordering, duplicates or lost fragments?
--
-- Parameters: from, to (UTC).
-- Read: growth of the kernel's counters. Out-of-order segments and duplicate ACKs without loss: several paths of
-- different length. Failed reassembly: a smaller MTU on the way, and ICMP that is filtered.
-- Answer, of the fleet in test/support/fleet-truth:
--   host                  rack  duplicates  reordered  lost_fragments
--   api-64.a.example.net  r05   0           630        0
SELECT host, any(rack) AS rack, sum(dsacks) AS duplicates, sum(out_of_order) AS reordered, sum(fragments) AS lost_fragments
FROM (
    SELECT host, rack, service, boot_id,
            max(counters['TcpExt.TCPDSACKRecv']) - min(counters['TcpExt.TCPDSACKRecv']) AS dsacks,
            max(counters['TcpExt.TCPOFOQueue']) - min(counters['TcpExt.TCPOFOQueue']) AS out_of_order,
            max(counters['Ip.ReasmFails']) - min(counters['Ip.ReasmFails']) AS fragments
        FROM host_status FINAL
        WHERE timestamp >= {from:DateTime64(9, 'UTC')} AND timestamp < {to:DateTime64(9, 'UTC')}
        GROUP BY host, rack, service, boot_id)
GROUP BY host
HAVING duplicates + reordered + lost_fragments > 0
ORDER BY duplicates + reordered + lost_fragments DESC, host
LIMIT 50
