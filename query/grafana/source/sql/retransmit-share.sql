-- Which part of all segments was sent again, by the kernels’ own counters?
SELECT if(count() = 0, NULL, sum(retransmitted) / sum(sent_segments + retransmitted)) AS share
FROM @answer(06-host-retransmit-ratio)
