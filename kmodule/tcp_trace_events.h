/* SPDX-License-Identifier: GPL-2.0 */
/* The events. Field names and types are the interface to the agent: see KTC_API in tcp_trace.c. */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM ktc

#if !defined(KTC_EVENTS_H) || defined(TRACE_HEADER_MULTI_READ)
#define KTC_EVENTS_H

#include <linux/tracepoint.h>

#include "flow.h"

/* Of a connection that ends also what it carried; 0 on any other transition. */
TRACE_EVENT_FN(tcp_set_state,

	TP_PROTO(const struct sock *sk, int newstate),

	TP_ARGS(sk, newstate),

	TP_STRUCT__entry(
		KTC_FLOW_FIELDS
		__field(__s32, oldstate)
		__field(__s32, newstate)
		__field(__u64, bytes_acked)
		__field(__u64, bytes_received)
		__field(__u32, segs_in)
		__field(__u32, segs_out)
		KTC_MEASURE_FIELDS
	),

	TP_fast_assign(
		const struct tcp_sock *tp = tcp_sk(sk);
		const bool ends = newstate == TCP_CLOSE;
		struct ktc_flow flow;

		ktc_flow_of_socket(&flow, sk);
		KTC_ASSIGN_FLOW(sk, &flow);
		__entry->oldstate = sk->sk_state;
		__entry->newstate = newstate;
		__entry->bytes_acked = ends ? tp->bytes_acked : 0;
		__entry->bytes_received = ends ? tp->bytes_received : 0;
		__entry->segs_in = ends ? tp->segs_in : 0;
		__entry->segs_out = ends ? tp->segs_out : 0;
		KTC_ASSIGN_MEASURES(tp);
	),

	TP_printk(KTC_FLOW_HEAD "%s -> %s bytes_acked=%llu bytes_received=%llu segs_in=%u segs_out=%u"
		KTC_MEASURES KTC_FLOW_TAIL,
		KTC_FLOW_HEAD_VALUES,
		KTC_STATE_NAME(__entry->oldstate), KTC_STATE_NAME(__entry->newstate),
		__entry->bytes_acked, __entry->bytes_received, __entry->segs_in, __entry->segs_out,
		KTC_MEASURES_VALUES, KTC_FLOW_TAIL_VALUES),

	ktc_reg_tcp_set_state, ktc_unreg_tcp_set_state
);

/*
 * Why a segment is sent again: SYN in state SYN_SENT; else timeout when ca_state is Loss, in which
 * tcp_enter_loss() puts the connection before tcp_retransmit_timer() sends, and which lasts until what was
 * lost then is repaired; else fast retransmission (Recovery). retransmits counts timeouts in a row; EL7 counts
 * the one that is being handled only after it has sent, newer kernels before.
 *
 * len is the payload (SYN and FIN count no byte in skb->len), at most the segments that are to be sent of a
 * larger buffer.
 */
TRACE_EVENT_FN(tcp_retransmit_skb,

	TP_PROTO(const struct sock *sk, const struct sk_buff *skb, unsigned int segments),

	TP_ARGS(sk, skb, segments),

	TP_STRUCT__entry(
		KTC_FLOW_FIELDS
		__field(__s32, state)
		__field(__u32, seq)
		__field(__u32, len)
		KTC_SENT_FIELDS
		__field(__u8, tcp_flags)
		__field(__u8, ca_state)
		__field(__u8, retransmits)
		KTC_MEASURE_FIELDS
	),

	TP_fast_assign(
		const struct inet_connection_sock *icsk = inet_csk(sk);
		const struct tcp_sock *tp = tcp_sk(sk);
		struct ktc_flow flow;

		ktc_flow_of_socket(&flow, sk);
		KTC_ASSIGN_FLOW(sk, &flow);
		__entry->state = sk->sk_state;
		__entry->seq = TCP_SKB_CB(skb)->seq;
		__entry->len = min_t(__u32, skb->len, segments * tp->mss_cache);
		__entry->tcp_flags = TCP_SKB_CB(skb)->tcp_flags;
		__entry->ca_state = icsk->icsk_ca_state;
		__entry->retransmits = icsk->icsk_retransmits;
		KTC_ASSIGN_SENT(tp);
		KTC_ASSIGN_MEASURES(tp);
	),

	TP_printk(KTC_FLOW_HEAD "%s seq=%u len=%u flags=%s ca_state=%s retransmits=%u"
		KTC_SENT KTC_MEASURES KTC_FLOW_TAIL,
		KTC_FLOW_HEAD_VALUES,
		KTC_STATE_NAME(__entry->state), __entry->seq, __entry->len,
		__print_flags(__entry->tcp_flags, "|",
			{ 0x01, "FIN" }, { 0x02, "SYN" }, { 0x04, "RST" }, { 0x08, "PSH" },
			{ 0x10, "ACK" }, { 0x20, "URG" }, { 0x40, "ECE" }, { 0x80, "CWR" }),
		__print_symbolic(__entry->ca_state,
			{ 0, "Open" }, { 1, "Disorder" }, { 2, "CWR" }, { 3, "Recovery" }, { 4, "Loss" }),
		__entry->retransmits, KTC_SENT_VALUES, KTC_MEASURES_VALUES, KTC_FLOW_TAIL_VALUES),

	ktc_reg_tcp_retransmit_skb, ktc_unreg_tcp_retransmit_skb
);

/* A tail loss probe: new data where there is some, else the last segment once more. */
TRACE_EVENT_FN(tcp_send_loss_probe,

	TP_PROTO(const struct sock *sk, const struct sk_buff *skb, bool new_data),

	TP_ARGS(sk, skb, new_data),

	TP_STRUCT__entry(
		KTC_FLOW_FIELDS
		__field(__s32, state)
		__field(__u8, new_data)
		__field(__u32, seq)
		__field(__u32, len)
		KTC_SENT_FIELDS
		KTC_MEASURE_FIELDS
	),

	TP_fast_assign(
		const struct tcp_sock *tp = tcp_sk(sk);
		const __u32 before_last = (tcp_skb_pcount(skb) - 1) * tp->mss_cache;
		struct ktc_flow flow;

		ktc_flow_of_socket(&flow, sk);
		KTC_ASSIGN_FLOW(sk, &flow);
		__entry->state = sk->sk_state;
		__entry->new_data = new_data;
		__entry->seq = TCP_SKB_CB(skb)->seq;
		__entry->len = skb->len;
		if (new_data) {
			__entry->len = min_t(__u32, skb->len, tp->mss_cache);
		} else if (skb->len > before_last) {
			/* Of a buffer of several segments only the last is split off and sent. */
			__entry->seq += before_last;
			__entry->len -= before_last;
		}
		KTC_ASSIGN_SENT(tp);
		KTC_ASSIGN_MEASURES(tp);
	),

	TP_printk(KTC_FLOW_HEAD "%s %s seq=%u len=%u" KTC_SENT KTC_MEASURES KTC_FLOW_TAIL,
		KTC_FLOW_HEAD_VALUES,
		KTC_STATE_NAME(__entry->state),
		__print_symbolic(__entry->new_data, { 0, "retransmission" }, { 1, "new data" }),
		__entry->seq, __entry->len, KTC_SENT_VALUES, KTC_MEASURES_VALUES, KTC_FLOW_TAIL_VALUES),

	ktc_reg_tcp_send_loss_probe, ktc_unreg_tcp_send_loss_probe
);

/* With a packet the flow is the packet's, which is complete where the socket listens or there is none. */
DECLARE_EVENT_CLASS(ktc_state,

	TP_PROTO(const struct sock *sk, const struct sk_buff *skb),

	TP_ARGS(sk, skb),

	TP_STRUCT__entry(
		KTC_FLOW_FIELDS
		__field(__s32, state)
	),

	TP_fast_assign(
		struct ktc_flow flow;

		if (skb)
			ktc_flow_of_packet(&flow, sk, skb);
		else
			ktc_flow_of_socket(&flow, sk);
		KTC_ASSIGN_FLOW(sk, &flow);
		__entry->state = sk ? sk->sk_state : 0;
	),

	TP_printk(KTC_FLOW_HEAD "%s" KTC_FLOW_TAIL,
		KTC_FLOW_HEAD_VALUES, KTC_STATE_NAME(__entry->state), KTC_FLOW_TAIL_VALUES)
);

/* The connection that accept() is about to return; the current task is the acceptor. */
DEFINE_EVENT_FN(ktc_state, inet_csk_accept,
	TP_PROTO(const struct sock *sk, const struct sk_buff *skb),
	TP_ARGS(sk, skb),
	ktc_reg_inet_csk_accept, ktc_unreg_inet_csk_accept
);

DEFINE_EVENT_FN(ktc_state, tcp_send_reset,
	TP_PROTO(const struct sock *sk, const struct sk_buff *skb),
	TP_ARGS(sk, skb),
	ktc_reg_tcp_send_reset, ktc_unreg_tcp_send_reset
);

DEFINE_EVENT_FN(ktc_state, tcp_receive_reset,
	TP_PROTO(const struct sock *sk, const struct sk_buff *skb),
	TP_ARGS(sk, skb),
	ktc_reg_tcp_receive_reset, ktc_unreg_tcp_receive_reset
);

TRACE_EVENT_FN(tcp_retransmit_synack,

	TP_PROTO(const struct sock *sk, const struct request_sock *request),

	TP_ARGS(sk, request),

	TP_STRUCT__entry(
		KTC_FLOW_FIELDS
		__field(const void *, req)
	),

	TP_fast_assign(
		struct ktc_flow flow;

		ktc_flow_of_request(&flow, sk, request);
		KTC_ASSIGN_FLOW(sk, &flow);
		__entry->req = request;
	),

	TP_printk(KTC_FLOW_HEAD "req=%p" KTC_FLOW_TAIL,
		KTC_FLOW_HEAD_VALUES, __entry->req, KTC_FLOW_TAIL_VALUES),

	ktc_reg_tcp_retransmit_synack, ktc_unreg_tcp_retransmit_synack
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE tcp_trace_events
#include <trace/define_trace.h>
