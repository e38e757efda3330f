-- What do both ends of the connections between two racks say?
--
-- Parameters: from, to (UTC); rack_a, rack_b.
-- Read: one line per connection that both hosts reported when it ended. Retransmits of a against those of b tell the
-- direction that loses; bytes that differ were lost with the connection.
-- Answer, of the fleet in test/support/fleet-truth:
--   host_a                 port_a  host_b                 port_b  ended                          retransmits_a  retransmits_b  sent_a  received_b  sent_b  received_a
--   api-98.a.example.net   8080    web-152.b.example.net  52081   2026-11-24 12:11:16.387161402  12             0              46809   46809       31053   31053
--   web-182.a.example.net  44122   api-164.b.example.net  8080    2026-11-24 12:18:01.781390902  12             0              193307  193307      32156   32156
--   db-170.a.example.net   5432    api-188.b.example.net  56391   2026-11-24 12:39:17.544603938  12             0              153996  153996      4129    4129
--   web-182.a.example.net  55301   api-128.b.example.net  8080    2026-11-24 12:48:20.937860788  12             0              43270   43270       366027  366027
--   api-134.a.example.net  8080    web-140.b.example.net  58496   2026-11-24 13:07:12.044796914  12             0              40733   40733       17057   17057
--   … 45 more
SELECT a.host AS host_a, a.local_port AS port_a, b.host AS host_b, b.local_port AS port_b, a.timestamp AS ended,
    a.retransmits AS retransmits_a, b.retransmits AS retransmits_b,
    a.bytes_sent AS sent_a, b.bytes_received AS received_b, b.bytes_sent AS sent_b, a.bytes_received AS received_a
FROM (
    SELECT host, timestamp, retransmits, bytes_sent, bytes_received, local_address, local_port, remote_address, remote_port
    FROM events FINAL
    WHERE event = 'tcp_life' AND rack = {rack_a:String}
        AND timestamp >= {from:DateTime64(9, 'UTC')} AND timestamp < {to:DateTime64(9, 'UTC')}) AS a
INNER JOIN (
    SELECT host, timestamp, retransmits, bytes_sent, bytes_received, local_address, local_port, remote_address, remote_port
    FROM events FINAL
    WHERE event = 'tcp_life' AND rack = {rack_b:String}
        AND timestamp >= {from:DateTime64(9, 'UTC')} AND timestamp < {to:DateTime64(9, 'UTC')}) AS b
    ON a.local_address = b.remote_address AND a.local_port = b.remote_port
        AND a.remote_address = b.local_address AND a.remote_port = b.local_port
WHERE a.host != b.host AND abs(toUnixTimestamp64Milli(a.timestamp) - toUnixTimestamp64Milli(b.timestamp)) < 60000
ORDER BY retransmits_a + retransmits_b DESC, ended, host_a, port_a
LIMIT 50
