CREATE MATERIALIZED VIEW @database.accept @on_cluster TO @database.events AS
SELECT
    timestamp, event, host, host_id, boot_id, kernel, session, cpu, ordinal, labels, pid, comm, pid_origin, unit,
    container_id, netns, ip_version, local_address, local_port, remote_address, remote_port, connection_id,
    direction, old_state, new_state, state, retransmit_kind, reset_direction, duration_us, latency_us, sequence,
    length, bytes_sent, bytes_received, segments_sent, segments_received, retransmits, interval_us, retransmits_rto,
    retransmits_fast, retransmits_tlp, retransmits_syn, retransmits_synack, retransmits_unknown,
    retransmits_suppressed, srtt_us, rttvar_us, congestion_window, slow_start_threshold, total_retransmits
FROM @database.parsed
WHERE reason = '' AND event != 'host_status'
