/** What `ktc check` finds in the kernel's lists, on excerpts of such lists. */
import { expect, test } from 'vitest';
import { patchedFunctions, probedFunctions, splitFunctions } from '../../../../src/agent/check/hazards.ts';

const FUNCTIONS = ['tcp_set_state', 'tcp_reset', 'inet_csk_accept'];

test('parts and copies that the compiler has made of a hooked function', () => {
  const kallsyms = `
ffffffff817f1a30 T tcp_set_state
ffffffff817f1b00 t tcp_set_state.part.3
ffffffff817f1b80 t tcp_reset.constprop.0
ffffffff817f1b90 t tcp_reset.isra.12.part.1	[tcp_other]
ffffffff817f1c00 t tcp_reset.cold
ffffffff817f1d00 t not_tcp_reset.part.1
ffffffff817f1e00 t tcp_retransmit_skb.part.2
`;
  expect(splitFunctions(kallsyms, FUNCTIONS)).toEqual([
    'tcp_set_state.part.3',
    'tcp_reset.constprop.0',
    'tcp_reset.isra.12.part.1',
  ]);
  expect(splitFunctions(kallsyms, [])).toEqual([]);
});

test('hooked functions that a live patch replaces', () => {
  const enabled = `tcp_set_state (1)               \ttramp: 0xffffffffc0012000 (ktc_call+0x0/0x20) ->I+0x0
tcp_reset (2) R I
inet_csk_accept (1) R   
tcp_sendmsg (1) R I
`;
  expect(patchedFunctions(enabled, FUNCTIONS)).toEqual(['tcp_reset']);
});

test('hooked functions that another kprobe holds', () => {
  const kprobes = `ffffffff817f1a30  k  tcp_set_state+0x0    [FTRACE]
ffffffff817f1b30  r  inet_csk_accept+0x0    [FTRACE]
ffffffff817f1c30  k  tcp_sendmsg+0x0    [OPTIMIZED]
ffffffff817f1d30  j  tcp_reset+0x0    
`;
  expect(probedFunctions(kprobes, FUNCTIONS, ['inet_csk_accept'])).toEqual(['tcp_set_state', 'tcp_reset']);
  expect(probedFunctions(kprobes, FUNCTIONS, [])).toEqual(['tcp_set_state', 'inet_csk_accept', 'tcp_reset']);
});
