-- Which hosts retransmit most, by the kernel's own counters?
--
-- Parameters: from, to (UTC).
-- Read: Tcp.RetransSegs against Tcp.OutSegs from host_status: exact for the whole host, whatever the agent records or
-- leaves out. A reboot starts a new count; both are added.
-- Answer, of the fleet in test/support/fleet-truth:
--   host                     rack  service  retransmitted  sent_segments  percent
--   batch-136.a.example.net  r05   batch    36             935            3.708
--   batch-116.b.example.net  r09   batch    36             971            3.575
--   batch-156.a.example.net  r01   batch    38             1027           3.568
--   batch-76.a.example.net   r05   batch    38             1148           3.204
--   batch-36.a.example.net   r01   batch    39             1203           3.14
--   … 45 more
SELECT host, any(rack) AS rack, any(service) AS service, sum(retransmits) AS retransmitted, sum(sent) AS sent_segments,
    round(100 * retransmitted / (sent_segments + retransmitted), 3) AS percent
FROM (
    SELECT host, rack, service, boot_id,
            max(counters['Tcp.RetransSegs']) - min(counters['Tcp.RetransSegs']) AS retransmits,
            max(counters['Tcp.OutSegs']) - min(counters['Tcp.OutSegs']) AS sent
        FROM host_status FINAL
        WHERE timestamp >= {from:DateTime64(9, 'UTC')} AND timestamp < {to:DateTime64(9, 'UTC')}
        GROUP BY host, rack, service, boot_id)
GROUP BY host
HAVING sent_segments > 0
ORDER BY percent DESC, host
LIMIT 50
