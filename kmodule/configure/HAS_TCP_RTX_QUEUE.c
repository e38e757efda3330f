// SPDX-License-Identifier: GPL-2.0
/* Segments that wait for their acknowledgement are in a tree of their own (since 4.15). */
#include <net/sock.h>

#include "question.h"

ASK_MEMBER(struct sock, tcp_rtx_queue);
