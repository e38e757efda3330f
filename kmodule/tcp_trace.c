// SPDX-License-Identifier: GPL-2.0
/*
 * tcp_trace - trace events of TCP connections, for kernels that have none of their own or too few
 *
 * Stateless: a probe copies fields of a socket into the trace ring buffer and keeps nothing. It takes no
 * lock, allocates nothing, sleeps never. Free when off: an event's probes are registered when its first
 * user enables it, in any trace instance or by perf, and unregistered when the last one leaves.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/ftrace.h>
#include <linux/init.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/utsname.h>
#include <generated/utsrelease.h>

#include "compat.h"

/* Raised when fields or events come, change their meaning or go; user space checks it before it decodes. */
#define KTC_API 2

#define KTC_EVENTS(X)			\
	X(tcp_set_state)		\
	X(tcp_retransmit_skb)		\
	X(tcp_send_loss_probe)		\
	X(inet_csk_accept)		\
	X(tcp_send_reset)		\
	X(tcp_receive_reset)		\
	X(tcp_retransmit_synack)

#define KTC_EVENT_ID(name) KTC_##name,
enum ktc_event { KTC_EVENTS(KTC_EVENT_ID) KTC_EVENT_COUNT };

static int ktc_enable(enum ktc_event event);
static void ktc_disable(enum ktc_event event);

#define KTC_DEFINE_CALLBACKS(name)						\
	KTC_DEFINE_REGFUNC(ktc_reg_##name, ktc_enable(KTC_##name))		\
	static void ktc_unreg_##name(void)					\
	{									\
		ktc_disable(KTC_##name);					\
	}
KTC_EVENTS(KTC_DEFINE_CALLBACKS)

#define CREATE_TRACE_POINTS
#include "tcp_trace_events.h"

/*
 * The handlers. Each runs at the entry of the function its hook names, in whatever context that was called.
 *
 * These functions are declared here once more so that the build breaks, and not the kernel, where one has
 * got other arguments than those that the handlers read. Of the other hooks only the socket is read, or
 * they are private to their file.
 */
void tcp_set_state(struct sock *sk, int state);
void tcp_send_loss_probe(struct sock *sk);

/* Also called for a socket that is in that state already, which is no transition. */
static void on_set_state(const struct pt_regs *regs)
{
	const struct sock *sk = ktc_arg1(regs);
	const int newstate = ktc_arg2(regs);

	if (newstate != sk->sk_state)
		trace_tcp_set_state(sk, newstate);
}

/*
 * While the first copy is still in this host's queues, __tcp_retransmit_skb() refuses to send another
 * (EBUSY) and is asked again and again.
 */
static void on_retransmit(const struct pt_regs *regs)
{
	const struct sock *sk = ktc_arg1(regs);
	const struct sk_buff *skb = (const struct sk_buff *)ktc_arg2(regs);

	if (!skb_fclone_busy(sk, skb))
		trace_tcp_retransmit_skb(sk, skb, ktc_retransmit_segments(regs));
}

/* Decides what tcp_send_loss_probe() is about to decide, as far as loads can tell. */
static void on_loss_probe(const struct pt_regs *regs)
{
	const struct sock *sk = ktc_arg1(regs);
	const struct sk_buff *skb = tcp_send_head(sk);
	const bool new_data = skb && ktc_loss_probe_fits(sk, skb);

	if (ktc_loss_probe_is_outstanding(sk, new_data))
		return;
	if (!new_data)
		skb = ktc_last_unacknowledged(sk);
	if (skb && (new_data || !skb_fclone_busy(sk, skb)))
		trace_tcp_send_loss_probe(sk, skb, new_data);
}

/*
 * Called for what accept(2) is about to return, in the acceptor's task, by inet_accept(), which holds the socket's
 * lock. Sockets of every family come by here; the protocol's number means TCP in two of them.
 */
static void __maybe_unused on_graft(const struct pt_regs *regs)
{
	const struct sock *sk = ktc_arg1(regs);

	if ((sk->sk_family == AF_INET || sk->sk_family == AF_INET6) && sk->sk_protocol == IPPROTO_TCP)
		trace_inet_csk_accept(sk, NULL);
}

/* DCCP accepts by the same function. */
static int __maybe_unused on_accepted(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	const struct sock *sk = (const struct sock *)regs_return_value(regs);

	if (sk && sk->sk_protocol == IPPROTO_TCP)
		trace_inet_csk_accept(sk, NULL);
	return 0;
}

/* A reset is never answered by a reset: both functions begin by looking for that. */
static void on_send_reset(const struct pt_regs *regs)
{
	const struct sk_buff *skb = (const struct sk_buff *)ktc_arg2(regs);

	if (!tcp_hdr(skb)->rst)
		trace_tcp_send_reset(ktc_arg1(regs), skb);
}

static void on_send_active_reset(const struct pt_regs *regs)
{
	trace_tcp_send_reset(ktc_arg1(regs), NULL);
}

static void on_receive_reset(const struct pt_regs *regs)
{
	trace_tcp_receive_reset(ktc_arg1(regs), NULL);
}

static void on_retransmit_synack(const struct pt_regs *regs)
{
	trace_tcp_retransmit_synack(ktc_arg1(regs), (const struct request_sock *)ktc_arg2(regs));
}

/*
 * Of the kretprobe. Each task that waits in accept() holds one instance until it returns, so this bounds the
 * tasks that may wait at the same time without a missed event. An instance is 40 to 64 bytes and exists only
 * while the event is enabled; newer kernels add an array of this many pointers for each CPU.
 */
#define KTC_MAX_ACCEPTORS 1024

/* A place in the kernel where an event comes from. */
struct ktc_hook {
	enum ktc_event event;
	void (*entered)(const struct pt_regs *regs);	/* NULL for a hook at the function's return */
	bool present;		/* whether this kernel has the function, and lets it be hooked */
	bool on;
	unsigned long address;	/* of the function */
	unsigned long missed;	/* by past registrations, each of which counts from 0 */
	struct kretprobe probe;	/* of which a hook at entry uses but the kprobe in it, to find the function */
};

#define KTC_ENTRY(_event, _symbol, _handler) {					\
	.event = KTC_##_event,							\
	.entered = _handler,							\
	.probe = { .kp = { .symbol_name = #_symbol } },				\
}

#define KTC_RETURN(_event, _symbol, _handler, _maxactive) {			\
	.event = KTC_##_event,							\
	.probe = { .kp = { .symbol_name = #_symbol }, .handler = _handler, .maxactive = _maxactive }, \
}

static struct ktc_hook ktc_hooks[] = {
	KTC_ENTRY(tcp_set_state, tcp_set_state, on_set_state),
	KTC_ENTRY(tcp_retransmit_skb, tcp_retransmit_skb, on_retransmit),
	KTC_ENTRY(tcp_send_loss_probe, tcp_send_loss_probe, on_loss_probe),
	KTC_ACCEPT(KTC_ENTRY(inet_csk_accept, security_sock_graft, on_graft),
		   KTC_RETURN(inet_csk_accept, inet_csk_accept, on_accepted, KTC_MAX_ACCEPTORS)),
	KTC_ENTRY(tcp_send_reset, tcp_v4_send_reset, on_send_reset),
	KTC_ENTRY(tcp_send_reset, tcp_v6_send_reset, on_send_reset),
	KTC_ENTRY(tcp_send_reset, tcp_send_active_reset, on_send_active_reset),
	KTC_ENTRY(tcp_receive_reset, tcp_reset, on_receive_reset),
	KTC_ENTRY(tcp_retransmit_synack, tcp_rtx_synack, on_retransmit_synack),
};

static const struct {
	const char *name;
	char *tracepoint;
} ktc_events[] = {
#define KTC_EVENT_NAME(_name) { .name = #_name, .tracepoint = "__tracepoint_" #_name },
	KTC_EVENTS(KTC_EVENT_NAME)
};

static bool ktc_enabled[KTC_EVENT_COUNT];
static bool ktc_surveyed;

/* Of the tables above; taken by whoever enables, disables, loads or reads a parameter, never by a probe. */
static DEFINE_MUTEX(ktc_mutex);

#define for_each_hook(hook) \
	for (hook = ktc_hooks; hook < ktc_hooks + ARRAY_SIZE(ktc_hooks); hook++)

/*
 * All hooks at entry are one user of ftrace, told which functions to call us for. Not kprobes, though these ride
 * on the same calls: while one runs, an interrupt that comes in and goes on to receive packets finds every
 * kprobe of this CPU busy, and their calls are missed. ftrace keeps task, softirq and interrupt apart.
 *
 * On EL7 the function that ftrace calls for several users asks each for its filter; one user is asked once.
 */
static void notrace ktc_entered(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops,
				ktc_ftrace_regs *regs)
{
	const struct ktc_hook *hook;

	for_each_hook(hook) {
		/* The call to ftrace may stand behind an instruction of 4 bytes that marks a branch target. */
		if (hook->entered && ip - hook->address + 4 <= 8) {
			hook->entered(ktc_full_regs(regs));
			return;
		}
	}
}

static struct ftrace_ops ktc_ops = {
	.func = ktc_entered,
	.flags = FTRACE_OPS_FL_SAVE_REGS | KTC_FTRACE_REENTRANT,
};

/* Functions in the filter of ktc_ops, which is registered while there are any: no filter means every function. */
static unsigned int ktc_filtered;

/*
 * ftrace dies, for good, when it finds code that it did not expect (ftrace_bug()), which may be the fault of any
 * module. From then on it refuses to patch anything, so its calls stay in the hooked functions and lead here: this
 * code and ktc_ops have to stay as well.
 */
static void ktc_pin(int err)
{
	static bool pinned;

	if (pinned)
		return;
	pinned = true;
	__module_get(THIS_MODULE);
	pr_err("ftrace is dead and does not release its hooks (%d): this module stays until the host reboots\n", err);
}

static void ktc_unfilter(struct ktc_hook *hook)
{
	const int err = ftrace_set_filter_ip(&ktc_ops, hook->address, 1, 0);

	if (err == -ENODEV)
		ktc_pin(err);
}

static int ktc_entry_on(struct ktc_hook *hook)
{
	int err = ftrace_set_filter_ip(&ktc_ops, hook->address, 0, 0);

	if (err)
		return err;
	if (ktc_filtered == 0) {
		err = register_ftrace_function(&ktc_ops);
		if (err) {
			ktc_unfilter(hook);
			return err;
		}
	}
	ktc_filtered++;
	return 0;
}

/* Removing the last one waits until no handler runs any more. Where ftrace refuses that, the filter stays as it is. */
static void ktc_entry_off(struct ktc_hook *hook)
{
	int err = 0;

	ktc_filtered--;
	if (ktc_filtered == 0)
		err = unregister_ftrace_function(&ktc_ops);
	if (err)
		ktc_pin(err);
	else
		ktc_unfilter(hook);
}

/* Whether this kernel has the function and lets it be hooked. No symbol lookup is exported on all kernels. */
static int ktc_find(struct ktc_hook *hook)
{
	struct kprobe *probe = &hook->probe.kp;
	int err;

	/* Disabled: nothing is patched by that. */
	probe->flags = KPROBE_FLAG_DISABLED;
	err = register_kprobe(probe);
	if (err)
		return err;
	hook->address = (unsigned long)probe->addr;
	unregister_kprobe(probe);
	if (!hook->entered)
		return 0;
	/* While nothing is registered this only looks the function up. */
	err = ftrace_set_filter_ip(&ktc_ops, hook->address, 0, 0);
	if (!err)
		ftrace_set_filter_ip(&ktc_ops, hook->address, 1, 0);
	return err;
}

/* An event can be enabled as soon as its module begins to load, so this may be called before ktc_init(). */
static int ktc_survey(void)
{
	struct ktc_hook *hook;

	if (ktc_surveyed)
		return 0;
	/*
	 * Symbol versions let a module load into another build than its own, through weak-updates or by
	 * force. Structures may differ there in ways that symbol versions do not show.
	 */
	if (strcmp(init_utsname()->release, UTS_RELEASE) != 0) {
		pr_err("built for %s, refusing to trace %s\n", UTS_RELEASE, init_utsname()->release);
		return -ENOEXEC;
	}
	for_each_hook(hook) {
		int err = ktc_find(hook);

		if (err)
			pr_warn("%s: cannot hook %s (%d)\n", ktc_events[hook->event].name,
				hook->probe.kp.symbol_name, err);
		hook->present = !err;
	}
	ktc_surveyed = true;
	return 0;
}

/* A probe keeps what its last registration made of it, and would be refused with it. */
static int ktc_return_on(struct ktc_hook *hook)
{
	hook->probe.kp.addr = NULL;
	hook->probe.kp.flags = 0;
	return register_kretprobe(&hook->probe);
}

static int ktc_hook_on(struct ktc_hook *hook)
{
	const int err = hook->entered ? ktc_entry_on(hook) : ktc_return_on(hook);

	hook->on = !err;
	return err;
}

/* ftrace misses nothing. */
static unsigned long ktc_missed(const struct ktc_hook *hook)
{
	if (!hook->on || hook->entered)
		return hook->missed;
	return hook->missed + hook->probe.kp.nmissed + hook->probe.nmissed;
}

static void ktc_hook_off(struct ktc_hook *hook)
{
	if (!hook->on)
		return;
	if (hook->entered) {
		ktc_entry_off(hook);
	} else {
		/* Waits until no handler runs any more, and clears the address where the probe could not be removed. */
		unregister_kretprobe(&hook->probe);
		hook->missed = ktc_missed(hook);
		if (!hook->probe.kp.addr)
			ktc_pin(-ENODEV);
	}
	hook->on = false;
}

static void ktc_hooks_off(enum ktc_event event)
{
	struct ktc_hook *hook;

	for_each_hook(hook)
		if (hook->event == event)
			ktc_hook_off(hook);
}

/* Turns on what there is of the event's hooks, all or none. */
static int ktc_hooks_on(enum ktc_event event)
{
	struct ktc_hook *hook;
	int err = ktc_survey();
	int count = 0;

	if (err)
		return err;
	if (ktc_tracepoint_is_ambiguous(ktc_events[event].tracepoint))
		return -EEXIST;
	for_each_hook(hook) {
		if (hook->event != event || !hook->present)
			continue;
		err = ktc_hook_on(hook);
		if (err) {
			ktc_hooks_off(event);
			return err;
		}
		count++;
	}
	return count > 0 ? 0 : -ENOENT;
}

/*
 * The tracepoint's callbacks, called with the tracing core's mutexes held. An enabled event holds a reference
 * to the module, so that unloading it is refused.
 */
static int ktc_enable(enum ktc_event event)
{
	int err;

	if (!try_module_get(THIS_MODULE))
		return -ENODEV;
	mutex_lock(&ktc_mutex);
	err = ktc_hooks_on(event);
	ktc_enabled[event] = !err;
	mutex_unlock(&ktc_mutex);
	if (err) {
		pr_warn("%s: not enabled (%d)%s\n", ktc_events[event].name, err,
			err == -EEXIST ? ": another module has a tracepoint of this name" : "");
		module_put(THIS_MODULE);
	}
	return err;
}

/*
 * Also called after ktc_enable() failed where that could not tell. Between module_put() and the return to the
 * tracing core this code runs without a reference; the core holds event_mutex meanwhile, which unloading has to
 * take before it frees the module.
 */
static void ktc_disable(enum ktc_event event)
{
	bool enabled;

	mutex_lock(&ktc_mutex);
	enabled = ktc_enabled[event];
	ktc_enabled[event] = false;
	ktc_hooks_off(event);
	mutex_unlock(&ktc_mutex);
	if (enabled)
		module_put(THIS_MODULE);
}

static bool ktc_is_available(enum ktc_event event)
{
	struct ktc_hook *hook;

	for_each_hook(hook)
		if (hook->event == event && hook->present)
			return true;
	return false;
}

/* Names of the events that have a hook on this kernel, separated by commas. */
static int ktc_list_events(char *buffer, int size)
{
	int length = 0;
	int event;

	buffer[0] = '\0';
	for (event = 0; event < KTC_EVENT_COUNT; event++)
		if (ktc_is_available(event))
			length += scnprintf(buffer + length, size - length, "%s%s", length ? "," : "",
					    ktc_events[event].name);
	return length;
}

static int ktc_end(char *buffer, int length)
{
	return length + scnprintf(buffer + length, PAGE_SIZE - length, "%s", KTC_PARAM_END);
}

static int ktc_get_api(char *buffer, const struct kernel_param *param)
{
	return ktc_end(buffer, scnprintf(buffer, PAGE_SIZE, "%d", KTC_API));
}

static int ktc_get_events(char *buffer, const struct kernel_param *param)
{
	int length;

	mutex_lock(&ktc_mutex);
	length = ktc_list_events(buffer, PAGE_SIZE);
	mutex_unlock(&ktc_mutex);
	return ktc_end(buffer, length);
}

static int ktc_get_probes(char *buffer, const struct kernel_param *param)
{
	struct ktc_hook *hook;
	int length = 0;

	mutex_lock(&ktc_mutex);
	for_each_hook(hook)
		length += scnprintf(buffer + length, PAGE_SIZE - length, "%s%s %s %s %s nmissed=%lu",
				    length ? "\n" : "", ktc_events[hook->event].name,
				    hook->probe.kp.symbol_name,
				    !hook->present ? "absent" : hook->on ? "on" : "off",
				    hook->entered ? "ftrace" : "kretprobe", ktc_missed(hook));
	mutex_unlock(&ktc_mutex);
	return ktc_end(buffer, length);
}

/* insmod calls it for a parameter on its command line, without looking whether there is one. */
static int ktc_refuse(const char *value, const struct kernel_param *param)
{
	return -EPERM;
}

#define KTC_PARAM(name, description)						\
	static const struct kernel_param_ops ktc_##name##_ops = {		\
		.set = ktc_refuse,						\
		.get = ktc_get_##name,						\
	};									\
	module_param_cb(name, &ktc_##name##_ops, NULL, 0444);			\
	MODULE_PARM_DESC(name, description)

KTC_PARAM(api, "version of events and fields (read-only)");
KTC_PARAM(events, "events that this kernel has (read-only)");
KTC_PARAM(probes, "event, function, absent/off/on, means and missed calls of each probe (read-only)");

static int __init ktc_init(void)
{
	char names[160];
	int length;
	int err;

	mutex_lock(&ktc_mutex);
	err = ktc_survey();
	length = ktc_list_events(names, sizeof(names));
	mutex_unlock(&ktc_mutex);
	if (err)
		return err;
	if (length == 0) {
		pr_err("none of the functions to probe can be hooked in this kernel\n");
		return -ENOENT;
	}
	pr_info("api %d, events %s\n", KTC_API, names);
	return 0;
}

/*
 * An enabled event holds a reference, so that here nothing is on. An empty filter has no memory. Whoever removed the
 * last hook has waited for its handlers; that no CPU is in one of them is worth another look before they are freed.
 */
static void __exit ktc_exit(void)
{
	ktc_wait_for_handlers();
}

module_init(ktc_init);
module_exit(ktc_exit);

MODULE_DESCRIPTION("Trace events of TCP connections");
MODULE_AUTHOR("KTC agent contributors");
MODULE_LICENSE("GPL");
MODULE_VERSION("1.1.0");
MODULE_INFO(ktc_api, __stringify(KTC_API));
/* The sources that this was built from: see Kbuild. */
MODULE_INFO(ktc_source, __stringify(KTC_SOURCE));
