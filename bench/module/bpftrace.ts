/**
 * A bpftrace program that does what tcp_trace.ko does: the same functions, and of the two that the bench's connections go
 * through, the same fields. The other functions are hooked as well and never called.
 */

const FLOW = [
  '(uint64)$sk',
  '$sk->__sk_common.skc_net.net->ns.inum',
  '$sk->__sk_common.skc_family',
  'bswap(((struct inet_sock *)$sk)->inet_sport)',
  'bswap($sk->__sk_common.skc_dport)',
  'ntop(((struct inet_sock *)$sk)->inet_saddr)',
  'ntop($sk->__sk_common.skc_daddr)',
  'ntop($sk->__sk_common.skc_v6_rcv_saddr.in6_u.u6_addr8)',
  'ntop($sk->__sk_common.skc_v6_daddr.in6_u.u6_addr8)',
];
const TOTALS = ['$tp->bytes_acked', '$tp->bytes_received', '$tp->segs_in', '$tp->segs_out'];
const MEASURES = [
  '$tp->srtt_us >> 3',
  '$tp->mdev_us >> 2',
  '$tp->snd_cwnd',
  '$tp->snd_ssthresh',
  '$tp->total_retrans',
];
const STATE = '$sk->__sk_common.skc_state';
/** Text, in this list of fields. */
const isAddress = (field: string): boolean => field.startsWith('ntop(');

function probe(where: string, socket: string, fields: readonly string[], condition = '1'): string {
  const [, name = ''] = where.split(':');
  const format = fields.map((field) => (isAddress(field) ? '%s' : '%llu')).join(' ');
  return `${where} {
  $sk = (struct sock *)${socket};
  $tp = (struct tcp_sock *)$sk;
  if (${condition}) { printf("${name} ${format}\\n", ${fields.join(', ')}); }
}
`;
}

/** Says `ready` once it is attached. */
export const bpftraceProgram = [
  'BEGIN { printf("ready\\n"); }\n',
  probe(
    'kprobe:tcp_set_state',
    'arg0',
    [...FLOW, STATE, 'arg1', ...TOTALS, ...MEASURES],
    `(uint64)${STATE} != arg1`,
  ),
  probe('kretprobe:inet_csk_accept', 'retval', [...FLOW, STATE], '$sk != 0'),
  ...['tcp_retransmit_skb', 'tcp_send_loss_probe'].map((name) =>
    probe(`kprobe:${name}`, 'arg0', [...FLOW, STATE, ...MEASURES]),
  ),
  ...['tcp_v4_send_reset', 'tcp_v6_send_reset', 'tcp_send_active_reset', 'tcp_reset', 'tcp_rtx_synack'].map(
    (name) => probe(`kprobe:${name}`, 'arg0', [...FLOW, STATE]),
  ),
].join('');
