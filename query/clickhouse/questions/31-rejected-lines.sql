-- Which lines were no valid events, and why?
--
-- Parameters: from, to (UTC).
-- Read: no_json, schema_version, unknown_event: another program writes into the topic, or agents are newer than these
-- tables. time_out_of_range: the clock of the host is wrong, or the event is older than the tables keep. id_mismatch,
-- impossible_value: changed on the way. from and to are of the receipt.
-- Answer, of a topic with eight spoilt lines:
--   reason             host                    lines  first                    last                     example
--   time_out_of_range  batch-16.a.example.net  6      2026-11-29 02:54:32.320  2026-11-29 02:54:32.320  {"schema_version":1,…
--   id_mismatch        web-00.a.example.net    1      2026-11-29 02:54:32.320  2026-11-29 02:54:32.320  {"schema_version":1,…
--   no_json                                    1      2026-11-29 02:54:32.320  2026-11-29 02:54:32.320  no event
SELECT reason, host, count() AS lines, min(received_at) AS first, max(received_at) AS last, substring(any(line), 1, 200) AS example
FROM rejected FINAL
WHERE received_at >= {from:DateTime64(9, 'UTC')} AND received_at < {to:DateTime64(9, 'UTC')}
GROUP BY reason, host
ORDER BY lines DESC, reason, host
LIMIT 50
