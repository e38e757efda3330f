# MIT License (see LICENSE)
"""What a kernel module says of itself, read on the controller, which may have no modinfo."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re


def vermagic(path):
    """The release of the kernel that a module file was built for; empty where it says none."""
    with open(path, "rb") as file:
        found = re.search(b"\0vermagic=([^ \0]+)", file.read())
    return found.group(1).decode("ascii") if found else ""


class FilterModule(object):
    def filters(self):
        return {"vermagic": vermagic}
