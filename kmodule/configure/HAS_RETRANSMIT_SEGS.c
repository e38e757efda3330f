// SPDX-License-Identifier: GPL-2.0
/* tcp_retransmit_skb() is told how many segments to send (since 4.7). */
#include <net/tcp.h>

typedef int (*with_segments)(struct sock *sk, struct sk_buff *skb, int segments);
extern char answer[__builtin_types_compatible_p(typeof(&tcp_retransmit_skb), with_segments) ? 1 : -1];
