-- Timeouts, fast retransmits or loss probes?
--
-- Parameters: from, to (UTC).
-- Read: timeouts (rto) hurt most: the connection stood still for 200 ms or more. Mostly fast: single losses on a busy
-- path. Mostly tlp: the last segment of answers is lost. syn: see 08. unknown comes from hosts without tcp_trace.ko.
-- Answer, of the fleet in test/support/fleet-truth:
--   service  retransmit_kind  retransmits  peers  percent_of_service
--   api      fast             165          63     51.1
--   api      rto              109          52     33.7
--   api      tlp              49           33     15.2
--   batch    syn              360          1      88.7
--   batch    fast             23           13     5.7
--   … 15 more
SELECT service, retransmit_kind, count() AS retransmits, uniqExact(remote_address) AS peers,
    round(100 * retransmits / sum(retransmits) OVER (PARTITION BY service), 1) AS percent_of_service
FROM events AS e FINAL
WHERE event = 'tcp_retransmit' AND timestamp >= {from:DateTime64(9, 'UTC')} AND timestamp < {to:DateTime64(9, 'UTC')}
GROUP BY service, retransmit_kind
ORDER BY service, retransmits DESC, retransmit_kind
