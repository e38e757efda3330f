-- Which network interfaces count errors or drops?
--
-- Parameters: from, to (UTC).
-- Read: growth of the kernel's own counters: errors are the cable, the optics or the card; drops are a ring buffer or a
-- queue that is too small.
-- Answer, of the fleet in test/support/fleet-truth:
--   host                    rack  interface  counter    errors
--   queue-87.a.example.net  r04   eth0       rx_errors  500
SELECT host, any(rack) AS rack, interface, counter, sum(growth) AS errors
FROM (
    SELECT host, rack, boot_id, interface, counter, max(value) - min(value) AS growth
    FROM (
        SELECT host, rack, boot_id, interface, arrayJoin(mapKeys(values)) AS counter, values[counter] AS value
        FROM host_status FINAL ARRAY JOIN mapKeys(interfaces) AS interface, mapValues(interfaces) AS values
        WHERE timestamp >= {from:DateTime64(9, 'UTC')} AND timestamp < {to:DateTime64(9, 'UTC')})
    WHERE counter NOT IN ('rx_packets', 'tx_packets', 'rx_bytes', 'tx_bytes')
    GROUP BY host, rack, boot_id, interface, counter)
GROUP BY host, interface, counter
HAVING errors > 0
ORDER BY errors DESC, host, interface, counter
