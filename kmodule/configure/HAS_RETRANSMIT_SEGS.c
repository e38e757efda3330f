// SPDX-License-Identifier: GPL-2.0
/* tcp_retransmit_skb() is told how many segments to send (since 4.7). */
#include <net/tcp.h>

#include "question.h"

typedef int (*with_segments)(struct sock *sk, struct sk_buff *skb, int segments);
ASK(__builtin_types_compatible_p(typeof(&tcp_retransmit_skb), with_segments));
