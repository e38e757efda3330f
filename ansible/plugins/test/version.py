# MIT License (see LICENSE)
"""Compares versions of the agent. Those of Ansible take a release candidate for newer, or accept none but full versions."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re


def sort_key(version):
    """1.10 is newer than 1.9, and 1.0.0 than 1.0.0-rc.1."""
    numbers, dummy, candidate = version.partition("-")
    return [int(number) for number in re.findall(r"\d+", numbers)], candidate == "", candidate


def newer_than(version, other):
    return sort_key(version) > sort_key(other)


class TestModule(object):
    def tests(self):
        return {"newer_than": newer_than}
