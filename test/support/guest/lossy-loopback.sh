#!/bin/sh
# Turns a guest's loopback into a link like Ethernet that delays and loses packets, with documentation addresses on it.
# Needs ip, tc and the module sch_netem. It changes the loopback of whoever runs it: never run it on a host.
set -eu
ip link set lo mtu 1500
ip address add 192.0.2.1/32 dev lo
ip address add 2001:db8::1/128 dev lo nodad
tc qdisc add dev lo root netem delay 2ms loss 4%
