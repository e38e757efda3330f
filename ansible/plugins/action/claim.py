# MIT License (see LICENSE)
"""One roll-out at a time over the records of a directory: runs on the controller."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import fcntl
import getpass
import json
import os
import socket

from ansible.plugins.action import ActionBase
from ansible_collections.ktc.agent.plugins.module_utils import agent


def owner_of(text):
    try:
        return json.loads(text)
    except ValueError:
        return None


def claim(path, pid):
    """Makes the process the owner. Gives the one that is it, and runs on this controller; else None."""
    if not os.path.isdir(os.path.dirname(path)):
        os.makedirs(os.path.dirname(path))
    with open(path, "a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        owner = owner_of(file.read())
        here = {"pid": pid, "start": agent.start_ticks(pid), "controller": socket.gethostname(), "user": getpass.getuser()}
        is_there = owner is not None and owner["controller"] == here["controller"] and owner["start"] is not None
        if is_there and owner["pid"] != pid and agent.start_ticks(owner["pid"]) == owner["start"]:
            return owner
        file.truncate(0)
        file.write(json.dumps(here) + "\n")
    return None


class ActionModule(ActionBase):
    _requires_connection = False

    def run(self, tmp=None, task_vars=None):
        result = super(ActionModule, self).run(tmp, task_vars)
        dummy, arguments = self.validate_argument_spec({"directory": {"type": "path", "required": True}})
        # This is a fork of the process that plays, which lives as long as the roll-out.
        owner = claim(os.path.join(arguments["directory"], "owner.json"), os.getppid())
        result.update(changed=False)
        if owner is not None:
            result.update(failed=True, msg="a roll-out of {user} runs here as process {pid}".format(**owner))
        return result
