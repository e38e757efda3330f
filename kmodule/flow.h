/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What events have in common: whose packets (the flow) and how the connection is doing (the measures).
 * Field lists, their assignment and their print format stand together, so that a field exists everywhere
 * by being added here.
 *
 * Nothing here takes a lock or a reference. The callers of the probed functions hold a reference to the
 * socket, and all of them but reset (and the kretprobe of accept) hold its lock. Where they do not, only
 * members are read that are set before the socket can be found, and sk_state, which is volatile.
 */
#ifndef KTC_FLOW_H
#define KTC_FLOW_H

#include <linux/ip.h>
#include <linux/netdevice.h>
#include <linux/skbuff.h>
#include <linux/tcp.h>
#include <net/inet_sock.h>
#include <net/ipv6.h>
#include <net/request_sock.h>

#include "compat.h"

struct ktc_flow {
	__u32 netns;
	__u16 family;
	__u16 sport;
	__u16 dport;
	__u8 saddr[4];
	__u8 daddr[4];
	__u8 saddr_v6[16];
	__u8 daddr_v6[16];
};

/* The same names and the same convention as in the kernel's sock:inet_sock_set_state. */
#define KTC_FLOW_FIELDS				\
	__field(const void *, skaddr)		\
	__field(__u32, netns)			\
	__field(__u16, family)			\
	__field(__u16, sport)			\
	__field(__u16, dport)			\
	__array(__u8, saddr, 4)			\
	__array(__u8, daddr, 4)			\
	__array(__u8, saddr_v6, 16)		\
	__array(__u8, daddr_v6, 16)

#define KTC_ASSIGN_FLOW(socket, flow)					\
	do {								\
		__entry->skaddr = (socket);				\
		__entry->netns = (flow)->netns;				\
		__entry->family = (flow)->family;			\
		__entry->sport = (flow)->sport;				\
		__entry->dport = (flow)->dport;				\
		memcpy(__entry->saddr, (flow)->saddr, 4);		\
		memcpy(__entry->daddr, (flow)->daddr, 4);		\
		memcpy(__entry->saddr_v6, (flow)->saddr_v6, 16);	\
		memcpy(__entry->daddr_v6, (flow)->daddr_v6, 16);	\
	} while (0)

/* Printed first and last, so that what most people look for stands in front on a terminal's line. */
#define KTC_FLOW_HEAD "%pI4:%u > %pI4:%u "
#define KTC_FLOW_HEAD_VALUES __entry->saddr, __entry->sport, __entry->daddr, __entry->dport
#define KTC_FLOW_TAIL " family=%s saddrv6=%pI6c daddrv6=%pI6c netns=%u skaddr=%p"
#define KTC_FLOW_TAIL_VALUES							\
	__print_symbolic(__entry->family, { 2, "AF_INET" }, { 10, "AF_INET6" }),	\
	__entry->saddr_v6, __entry->daddr_v6, __entry->netns, __entry->skaddr

#define KTC_MEASURE_FIELDS			\
	__field(__u32, srtt_us)			\
	__field(__u32, rttvar_us)		\
	__field(__u32, snd_cwnd)		\
	__field(__u32, snd_ssthresh)		\
	__field(__u32, total_retrans)

/*
 * In the units of tcp_info (net/ipv4/tcp.c, tcp_get_info()), which are those of `ss -ti`: srtt_us is kept
 * times 8 and mdev_us times 4. The member named rttvar_us is not the variance but the part of the
 * retransmission timeout that comes from it, never below the minimum of 200 ms; tcp_info uses mdev_us.
 */
#define KTC_ASSIGN_MEASURES(tp)						\
	do {								\
		__entry->srtt_us = (tp)->srtt_us >> 3;			\
		__entry->rttvar_us = (tp)->mdev_us >> 2;		\
		__entry->snd_cwnd = (tp)->snd_cwnd;			\
		__entry->snd_ssthresh = (tp)->snd_ssthresh;		\
		__entry->total_retrans = (tp)->total_retrans;		\
	} while (0)

#define KTC_MEASURES " srtt_us=%u rttvar_us=%u cwnd=%u ssthresh=%u total_retrans=%u"
#define KTC_MEASURES_VALUES							\
	__entry->srtt_us, __entry->rttvar_us, __entry->snd_cwnd,		\
	__entry->snd_ssthresh, __entry->total_retrans

/* What the connection has sent before this event, without what it sends now: as in tcp_info. */
#define KTC_SENT_FIELDS				\
	__field(__u64, bytes_acked)		\
	__field(__u32, segs_out)

#define KTC_ASSIGN_SENT(tp)						\
	do {								\
		__entry->bytes_acked = (tp)->bytes_acked;		\
		__entry->segs_out = (tp)->segs_out;			\
	} while (0)

#define KTC_SENT " bytes_acked=%llu segs_out=%u"
#define KTC_SENT_VALUES __entry->bytes_acked, __entry->segs_out

/* Numbers, not TCP_* names: perf and trace-cmd read this from the format file and know no enum. */
#define KTC_STATE_NAME(state)						\
	__print_symbolic(state,						\
		{ 0, "NONE" }, { 1, "ESTABLISHED" }, { 2, "SYN_SENT" },	\
		{ 3, "SYN_RECV" }, { 4, "FIN_WAIT1" }, { 5, "FIN_WAIT2" },	\
		{ 6, "TIME_WAIT" }, { 7, "CLOSE" }, { 8, "CLOSE_WAIT" },	\
		{ 9, "LAST_ACK" }, { 10, "LISTEN" }, { 11, "CLOSING" },	\
		{ 12, "NEW_SYN_RECV" })

static inline void ktc_put_v4(__u8 *v4, __u8 *v6, __be32 address)
{
	struct in6_addr mapped;

	ipv6_addr_set_v4mapped(address, &mapped);
	memcpy(v4, &address, sizeof(address));
	memcpy(v6, &mapped, sizeof(mapped));
}

static inline void ktc_put_v6(__u8 *v4, __u8 *v6, const struct in6_addr *address)
{
	memset(v4, 0, 4);
	memcpy(v6, address, sizeof(*address));
}

/*
 * Of a full socket (not time-wait, not request). inet_sport, not sk_num: closing gives the port back and
 * clears sk_num before an abort sends its reset (inet_put_port() in tcp_set_state()).
 */
static void ktc_flow_of_socket(struct ktc_flow *flow, const struct sock *sk)
{
	const struct inet_sock *inet = inet_sk(sk);

	flow->netns = ktc_netns_inode(sock_net(sk));
	flow->family = sk->sk_family;
	flow->sport = ntohs(inet->inet_sport);
	flow->dport = ntohs(inet->inet_dport);
	/*
	 * An IPv6 socket that talks IPv4 has its local mapped address only after connect() has gone through
	 * SYN_SENT (net/ipv6/tcp_ipv6.c, tcp_v6_connect()), but the IPv4 ones before.
	 */
	if (sk->sk_family != AF_INET6 || ipv6_addr_v4mapped(ktc_v6_remote(sk))) {
		ktc_put_v4(flow->saddr, flow->saddr_v6, inet->inet_saddr);
		ktc_put_v4(flow->daddr, flow->daddr_v6, inet->inet_daddr);
	} else {
		ktc_put_v6(flow->saddr, flow->saddr_v6, ktc_v6_local(sk));
		ktc_put_v6(flow->daddr, flow->daddr_v6, ktc_v6_remote(sk));
	}
}

/*
 * Of a received packet, its destination being our side. sk may be NULL, or of any kind: only members are
 * read that full, request and time-wait sockets share (struct sock_common).
 */
static void ktc_flow_of_packet(struct ktc_flow *flow, const struct sock *sk, const struct sk_buff *skb)
{
	const struct tcphdr *tcp = tcp_hdr(skb);

	/* Without a socket the packet is still on its way in, and has its device. */
	if (sk)
		flow->netns = ktc_netns_inode(sock_net(sk));
	else
		flow->netns = skb->dev ? ktc_netns_inode(dev_net(skb->dev)) : 0;
	flow->sport = ntohs(tcp->dest);
	flow->dport = ntohs(tcp->source);
	if (ip_hdr(skb)->version == 6) {
		flow->family = AF_INET6;
		ktc_put_v6(flow->saddr, flow->saddr_v6, &ipv6_hdr(skb)->daddr);
		ktc_put_v6(flow->daddr, flow->daddr_v6, &ipv6_hdr(skb)->saddr);
	} else {
		flow->family = sk ? sk->sk_family : AF_INET;
		ktc_put_v4(flow->saddr, flow->saddr_v6, ip_hdr(skb)->daddr);
		ktc_put_v4(flow->daddr, flow->daddr_v6, ip_hdr(skb)->saddr);
	}
}

/*
 * Of a connection request to the socket sk. A request to an IPv6 socket may come by IPv4, which the
 * request's operations tell on every kernel and its own family does not.
 */
static void ktc_flow_of_request(struct ktc_flow *flow, const struct sock *sk,
				const struct request_sock *req)
{
	const struct inet_request_sock *ireq = inet_rsk(req);

	flow->netns = ktc_netns_inode(sock_net(sk));
	flow->family = sk->sk_family;
	flow->sport = ireq->ir_num;
	flow->dport = ntohs(ireq->ir_rmt_port);
	if (req->rsk_ops->family == AF_INET6) {
		ktc_put_v6(flow->saddr, flow->saddr_v6, ktc_v6_request_local(ireq));
		ktc_put_v6(flow->daddr, flow->daddr_v6, ktc_v6_request_remote(ireq));
	} else {
		ktc_put_v4(flow->saddr, flow->saddr_v6, ireq->ir_loc_addr);
		ktc_put_v4(flow->daddr, flow->daddr_v6, ireq->ir_rmt_addr);
	}
}

#endif
