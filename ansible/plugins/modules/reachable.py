#!/usr/bin/python
# MIT License (see LICENSE)
from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: reachable
short_description: Whether this host can connect to the sinks that its configuration names
description:
  - Opens a TCP connection to each address of C(sink.kafka.brokers) and C(sink.otlp.endpoint), and closes it.
  - Fails where a sink has no address that answers. Says nothing about certificates and passwords, which only the agent knows.
author: KTC agent maintainers
attributes:
  check_mode:
    support: full
    description: Changes nothing.
options:
  timeout_s:
    description: How long one connection may take, in seconds.
    type: int
    default: 5
  endpoints:
    description: Set by the action plugin.
    type: dict
"""

EXAMPLES = r"""
- name: Look whether the sinks can be reached
  ktc.agent.reachable:
"""

RETURN = r"""
reached:
  description: By sink, the first address that has answered.
  type: dict
  returned: always
"""

import socket

from ansible.module_utils.basic import AnsibleModule


def connect(address, timeout_s):
    """None where the connection is made; else why not."""
    try:
        socket.create_connection(address, timeout_s).close()
    except (socket.error, socket.timeout, UnicodeError) as error:
        return str(error)
    return None


def first_reached(addresses, timeout_s):
    """(address, []), or (None, one line for each address)."""
    problems = []
    for host, port in addresses:
        problem = connect((host, port), timeout_s)
        if problem is None:
            return "%s:%d" % (host, port), []
        problems.append("%s:%d: %s" % (host, port, problem))
    return None, problems


def main():
    module = AnsibleModule(
        argument_spec={"timeout_s": {"type": "int", "default": 5}, "endpoints": {"type": "dict"}},
        supports_check_mode=True,
    )
    reached = {}
    for name, addresses in sorted((module.params["endpoints"] or {}).items()):
        reached[name], problems = first_reached(addresses, module.params["timeout_s"])
        if reached[name] is None:
            module.fail_json(msg="sink %s cannot be reached from this host: %s" % (name, "; ".join(problems)))
    module.exit_json(changed=False, reached=reached)


if __name__ == "__main__":
    main()
