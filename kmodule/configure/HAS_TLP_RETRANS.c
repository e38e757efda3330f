// SPDX-License-Identifier: GPL-2.0
/* A socket knows whether its loss probe was a retransmission. */
#include <linux/tcp.h>

#include "question.h"

ASK_MEMBER(struct tcp_sock, tlp_retrans);
