/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kernel differences, each behind one small helper named for what it gives. This is the only file with
 * #if; configure/ finds out by compiling what a kernel has (HAS_*, in the generated configure/has.h).
 * Version numbers would not tell: all of EL7 calls itself 3.10.0 and its backports differ by release.
 */
#ifndef KTC_COMPAT_H
#define KTC_COMPAT_H

#include <linux/ftrace.h>
#include <linux/ipv6.h>
#include <linux/kallsyms.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/ptrace.h>
#include <linux/rcupdate.h>
#include <linux/security.h>
#include <linux/string.h>
#include <linux/version.h>
#include <net/net_namespace.h>
#include <net/tcp.h>

#include "configure/has.h"

#ifndef CONFIG_X86_64
#error "tcp_trace supports x86_64 only: it reads function arguments from that architecture's registers"
#endif

#if !defined(CONFIG_KRETPROBES) || !defined(CONFIG_DYNAMIC_FTRACE_WITH_REGS) || !defined(CONFIG_EVENT_TRACING)
#error "tcp_trace needs a kernel with CONFIG_KRETPROBES, CONFIG_DYNAMIC_FTRACE_WITH_REGS and CONFIG_EVENT_TRACING"
#endif

/*
 * Kernels that are known to be bad for this module, with the commit that mends them.
 *
 * d25e37d89dd2 ("tracepoint: Optimize using static_call()", 5.10) let a tracepoint's user be called with the data of
 * another one while users come and go. Mended by 231264d6927f ("tracepoint: Fix static call function vs data state
 * mismatch") in 5.14, and in 5.13.10 and 5.10.58.
 */
#define KTC_KERNEL_FROM_TO(from, before) (LINUX_VERSION_CODE >= (from) && LINUX_VERSION_CODE < (before))
#if KTC_KERNEL_FROM_TO(KERNEL_VERSION(5, 10, 0), KERNEL_VERSION(5, 10, 58)) ||	\
	KTC_KERNEL_FROM_TO(KERNEL_VERSION(5, 11, 0), KERNEL_VERSION(5, 13, 10))
#error "tracepoints of this kernel may crash it (mended by commit 231264d6927f): use 5.10.58, 5.13.10 or newer"
#endif

/* What ftrace hands to its users: registers, since 5.11 wrapped (HAVE_DYNAMIC_FTRACE_WITH_ARGS). */
#ifdef HAS_FTRACE_REGS
typedef struct ftrace_regs ktc_ftrace_regs;

static inline const struct pt_regs *ktc_full_regs(struct ftrace_regs *regs)
{
	return ftrace_get_regs(regs);
}
#else
typedef struct pt_regs ktc_ftrace_regs;

static inline const struct pt_regs *ktc_full_regs(struct pt_regs *regs)
{
	return regs;
}
#endif

/*
 * Our handler calls nothing that is hooked, and may be interrupted by itself. Before 5.11 a user had to say so, else
 * ftrace guarded it against itself; since then it has to ask for the guard.
 */
#ifdef HAS_FTRACE_RECURSION_SAFE
#define KTC_FTRACE_REENTRANT FTRACE_OPS_FL_RECURSION_SAFE
#else
#define KTC_FTRACE_REENTRANT 0
#endif

/* Arguments at function entry. regs_get_kernel_argument() would be the portable way; EL7 has none. */
static inline void *ktc_arg1(const struct pt_regs *regs)
{
	return (void *)regs->di;
}

static inline unsigned long ktc_arg2(const struct pt_regs *regs)
{
	return regs->si;
}

static inline unsigned long ktc_arg3(const struct pt_regs *regs)
{
	return regs->dx;
}

/*
 * Defines the callback that a tracepoint calls before its first user is added. It returned void before
 * 4.10, so that on EL7 a failure can only be logged.
 */
#ifdef HAS_VOID_REGFUNC
#define KTC_DEFINE_REGFUNC(name, call)		\
	static void name(void)			\
	{					\
		call;				\
	}
#else
#define KTC_DEFINE_REGFUNC(name, call)		\
	static int name(void)			\
	{					\
		return call;			\
	}
#endif

/*
 * Before 3.15 a probe is attached to every tracepoint of a name, whatever module defines it and whatever
 * its arguments are (kernel/trace/trace_events.c, ftrace_event_reg() passes call->name). If another tracer
 * defines a tracepoint of our name, its events and ours would be called with each other's arguments.
 * Tells whether another one exists; our own is known to exist. @name is that of the tracepoint's variable.
 */
#ifdef HAS_TRACEPOINT_BY_NAME
static inline int ktc_is_foreign(void *name, const char *symbol, struct module *mod, unsigned long addr)
{
	return mod != THIS_MODULE && strcmp(symbol, name) == 0;
}

static inline bool ktc_tracepoint_is_ambiguous(char *name)
{
	bool ambiguous;

	mutex_lock(&module_mutex);
	ambiguous = kallsyms_on_each_symbol(ktc_is_foreign, name);
	mutex_unlock(&module_mutex);
	return ambiguous;
}
#else
static inline bool ktc_tracepoint_is_ambiguous(char *name)
{
	return false;
}
#endif

/*
 * What a parameter's get function ends its text with: until 4.14 kernel/params.c, param_attr_show() added
 * the newline itself. No declaration shows the difference, hence the version.
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(4, 15, 0)
#define KTC_PARAM_END ""
#else
#define KTC_PARAM_END "\n"
#endif

/*
 * How a connection is seen that accept(2) returns. security_sock_graft() is called for each of them, and there its
 * entry tells all that the return of inet_csk_accept() does, also of tasks that wait in accept() already. Without
 * CONFIG_SECURITY_NETWORK it is an empty inline function.
 */
#ifdef CONFIG_SECURITY_NETWORK
/* Declared once more so that the build breaks where it has got other arguments than those that are read. */
void security_sock_graft(struct sock *sk, struct socket *parent);
#define KTC_ACCEPT(entry, at_return) entry
#else
#define KTC_ACCEPT(entry, at_return) at_return
#endif

/*
 * Waits until every CPU has left the code that it runs now without being preempted, and on a preemptible kernel every
 * task: a trampoline of ftrace calls its user with preemption on. Since 5.1 (HAS_SYNCHRONIZE_SCHED before) one grace
 * period is for both kinds of RCU readers.
 */
static inline void ktc_wait_for_handlers(void)
{
#ifdef HAS_SYNCHRONIZE_SCHED
	synchronize_sched();
#else
	synchronize_rcu();
#ifdef CONFIG_PREEMPTION
	synchronize_rcu_tasks();
#endif
#endif
}

/* Inode number of the network namespace, what `readlink /proc/PID/ns/net` shows. */
static inline __u32 ktc_netns_inode(const struct net *net)
{
#ifdef HAS_NET_NS_INUM
	return net->ns.inum;
#else
	return net->proc_inum;
#endif
}

#if IS_ENABLED(CONFIG_IPV6)
#define ktc_v6_local(sk) (&(sk)->sk_v6_rcv_saddr)
#define ktc_v6_remote(sk) (&(sk)->sk_v6_daddr)
#define ktc_v6_request_local(ireq) (&(ireq)->ir_v6_loc_addr)
#define ktc_v6_request_remote(ireq) (&(ireq)->ir_v6_rmt_addr)
#else
#define ktc_v6_local(sk) (&in6addr_any)
#define ktc_v6_remote(sk) (&in6addr_any)
#define ktc_v6_request_local(ireq) (&in6addr_any)
#define ktc_v6_request_remote(ireq) (&in6addr_any)
#endif

/*
 * How many segments of the buffer tcp_retransmit_skb() is asked to send again: its third argument since
 * 4.7, always one before.
 */
static inline unsigned int ktc_retransmit_segments(const struct pt_regs *regs)
{
#ifdef HAS_RETRANSMIT_SEGS
	return ktc_arg3(regs);
#else
	return 1;
#endif
}

/* The segment sent and not yet acknowledged with the highest sequence number, NULL if none is. */
static inline struct sk_buff *ktc_last_unacknowledged(const struct sock *sk)
{
#ifdef HAS_TCP_RTX_QUEUE
	/* Descends a balanced tree, as tcp_send_loss_probe() itself does next. */
	return skb_rb_last(&sk->tcp_rtx_queue);
#else
	return tcp_write_queue_tail(sk);
#endif
}

/*
 * Whether an unanswered loss probe forbids a further one. Newer kernels send none then, EL7 only does not
 * send old data once more (net/ipv4/tcp_output.c, tcp_send_loss_probe()). tlp_retrans is the nearest
 * difference that a declaration shows.
 */
static inline bool ktc_loss_probe_is_outstanding(const struct sock *sk, bool new_data)
{
#ifdef HAS_TLP_RETRANS
	return tcp_sk(sk)->tlp_high_seq != 0;
#else
	return tcp_sk(sk)->tlp_high_seq != 0 && !new_data;
#endif
}

/* Whether the peer's window lets a loss probe carry new data; kernels without HAS_TLP_RETRANS do not ask. */
static inline bool ktc_loss_probe_fits(const struct sock *sk, const struct sk_buff *skb)
{
#ifdef HAS_TLP_RETRANS
	const struct tcp_sock *tp = tcp_sk(sk);

	/* As tcp_snd_wnd_test() does, which is private to tcp_output.c. */
	return !after(TCP_SKB_CB(skb)->seq + min(skb->len, tp->mss_cache), tcp_wnd_end(tp));
#else
	return true;
#endif
}

#endif
