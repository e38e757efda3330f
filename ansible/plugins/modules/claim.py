#!/usr/bin/python
# MIT License (see LICENSE)
from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: claim
short_description: Refuses a second roll-out while one runs
description:
  - Notes in I(directory) on the controller which process plays the roll-out, and fails where another one is noted that still runs
    on this controller. What is left of a killed one is no obstacle.
author: KTC agent maintainers
attributes:
  check_mode:
    support: none
    description: Not used in check mode.
options:
  directory:
    description: The directory on the controller that remembers roll-outs.
    type: path
    required: true
"""

EXAMPLES = r"""
- name: Refuse a second roll-out while one runs
  ktc.agent.claim:
    directory: "{{ ktc_agent_rollout_state }}"
  run_once: true
"""

RETURN = r""" # """
