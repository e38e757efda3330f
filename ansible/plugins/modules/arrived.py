#!/usr/bin/python
# MIT License (see LICENSE)
from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: arrived
short_description: Whether events that agents have emitted on demand are in the topic, read from the controller
description:
  - Runs I(command) on the controller until it has printed every expected C(host_status), with its version and its
    configuration hash, or until the deadline.
  - Never fails because of what it reads; the verdict is made of the answers about all hosts.
author: KTC agent maintainers
attributes:
  check_mode:
    support: full
    description: Changes nothing.
options:
  command:
    description:
      - Words of a command that prints the events of the topic as JSON, one on each line, and ends, such as kcat with C(-e).
      - "C({since_s}) and C({since_ms}) in a word become the time since which it has to read, since 1970."
      - Keep passwords out of it, because a run with C(-vvv) shows it; kcat reads them from a file with C(-F).
    type: list
    elements: str
    required: true
  expected:
    description: By host, what M(ktc.agent.gate) has returned as C(host_status).
    type: dict
    required: true
  deadline_s:
    description: How long it may take until all of them are there, in seconds.
    type: int
    default: 60
"""

EXAMPLES = r"""
- name: Look whether the host_status of web1 has arrived
  ktc.agent.arrived:
    command: [kcat, -b, "kafka-1.example.net:9092", -C, -t, ktc-events, -o, "s@{since_ms}", -e, -q]
    expected:
      web1: "{{ hostvars['web1'].gate.gate.host_status }}"
"""

RETURN = r"""
missing:
  description: By host, why its event counts as not arrived.
  type: dict
  returned: always
problem:
  description: Why the command could not read the topic, in one line; null where it could.
  type: str
  returned: always
"""
