// SPDX-License-Identifier: GPL-2.0
/* A socket knows whether its loss probe was a retransmission. */
#include <linux/tcp.h>

char answer(const struct tcp_sock *tp);
char answer(const struct tcp_sock *tp)
{
	return tp->tlp_retrans;
}
