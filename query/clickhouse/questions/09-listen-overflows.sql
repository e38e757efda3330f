-- Which hosts refuse connections because a listen queue is full?
--
-- Parameters: from, to (UTC).
-- Read: the kernel drops the SYN or the last ACK, so clients wait 1 s, 3 s, 7 s. Raise the backlog of listen() and
-- net.core.somaxconn, or find out why accept() is slow. first and last are host_status times around the growth.
-- Answer, of the fleet in test/support/fleet-truth:
--   host                    rack  service  overflows  first                          last
--   cache-45.b.example.net  r10   cache    260        2026-11-24 12:20:59.999000730  2026-11-24 12:39:59.999000964
SELECT host, any(rack) AS rack, any(service) AS service, sum(growth) AS overflows,
    minIf(timestamp, growth > 0) AS first, maxIf(timestamp, growth > 0) AS last
FROM (
    SELECT host, rack, service, timestamp, counters['TcpExt.ListenOverflows'] AS value,
        value - lagInFrame(value, 1, value) OVER (PARTITION BY host, boot_id ORDER BY timestamp
            ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS growth
    FROM host_status FINAL
    WHERE timestamp >= {from:DateTime64(9, 'UTC')} AND timestamp < {to:DateTime64(9, 'UTC')})
GROUP BY host
HAVING overflows > 0
ORDER BY overflows DESC, host
