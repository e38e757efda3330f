#!/usr/bin/python
# MIT License (see LICENSE)
from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: converge
short_description: Makes the running agent what is on the disk, by the least that does it
description:
  - Compares version and configuration hash of the running agent with those on the disk; nothing has to notify it,
    so a run that was interrupted is completed by the next one.
  - Another version is restarted. Another configuration is reloaded, and restarted only where the agent has refused to
    reload it, because a key needs a restart.
  - A service that the operator has stopped or masked stays so. It is started and enabled where the host has never had it,
    which M(ktc.agent.release) and M(ktc.agent.package) have noted before they installed it.
author: KTC agent maintainers
attributes:
  check_mode:
    support: full
    description: Says what it would do; whether a reload is enough, only the agent knows.
  diff_mode:
    support: none
    description: The configuration shows its own differences.
options:
  source:
    description: The kind of source that it has to read; C(module) restarts an agent that has begun before there was one.
    type: str
  deadline_s:
    description: How long the agent may take to be there, to reload, or to be ready, in seconds.
    type: int
    default: 60
"""

EXAMPLES = r"""
- name: Let the agent run what is on the disk
  ktc.agent.converge:
"""

RETURN = r"""
action:
  description: none, started, reloaded, restarted, or left for a service that the operator has stopped.
  type: str
  returned: always
reason:
  description: Why, in one line.
  type: str
  returned: always
"""

import os
import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.ktc.agent.plugins.module_utils import agent, footprint

# The agent takes a new configuration over at once, or refuses it and says so in its log.
RELOAD_S = 5


def newest_secret():
    """When a secret was last written, in seconds since 1970: secrets are no part of the configuration hash."""
    names = os.listdir(agent.SECRETS) if os.path.isdir(agent.SECRETS) else []
    return max([os.stat("%s/%s" % (agent.SECRETS, name)).st_mtime for name in names] or [0])


def difference(module, unit, disk):
    """Why the running agent is not what is on the disk: (kind, reason); (None, reason) where it is."""
    snapshot, problem = agent.running_snapshot(module, disk["telemetry"])
    if snapshot is None:
        return "restarted", problem
    source = module.params["source"]
    if source is not None and snapshot["source"]["kind"] != source:
        return "restarted", "it reads %s, not %s" % (snapshot["source"]["kind"], source)
    if snapshot["version"] != disk["version"]:
        return "restarted", "version %s runs, %s is installed" % (snapshot["version"], disk["version"])
    running = snapshot["host_status"]["config_hash"]
    if running != disk["config_hash"]:
        return "reloaded", "configuration %s runs, %s is on the disk" % (running, disk["config_hash"])
    # The start of a process is known to the second. A reload does not read secrets.
    if newest_secret() > agent.process_start(int(unit["MainPID"])) + 1:
        return "restarted", "a secret was written after the agent had started"
    return None, "version %s and configuration %s run" % (disk["version"], running)


def wait(module, deadline, disk):
    """Waits until the running agent is what is on the disk. Gives the last difference."""
    while True:
        unit = agent.unit_state(module, agent.UNIT)
        if unit["ActiveState"] == "active":
            kind, reason = difference(module, unit, disk)
            if kind is None:
                return None, reason
        else:
            kind, reason = "restarted", "the service is %s" % unit["ActiveState"]
        if time.time() > deadline:
            return kind, reason
        time.sleep(0.5)


def systemctl(module, *words):
    return module.run_command(["systemctl"] + list(words))


def journal(module):
    dummy, output, dummy2 = module.run_command(
        ["journalctl", "--unit", agent.UNIT, "--lines", "10", "--no-pager", "--output", "cat"]
    )
    return output.strip()


def finish(module, action, reason, unit_problem=None):
    if unit_problem is None:
        if not module.check_mode and os.path.exists(footprint.FIRST_START):
            os.unlink(footprint.FIRST_START)
        module.exit_json(changed=action not in ("none", "left"), action=action, reason=reason)
    module.fail_json(
        msg="%s, but then: %s. The end of its log:\n%s" % (action, unit_problem, journal(module)),
        action=action,
        reason=reason,
    )


def main():
    module = AnsibleModule(
        argument_spec={
            "source": {"type": "str"},
            "deadline_s": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    agent.lock_host()
    deadline_s = module.params["deadline_s"]
    first_start = os.path.exists(footprint.FIRST_START)
    unit = agent.unit_state(module, agent.UNIT)
    disk = agent.disk_state(module)
    if disk["problem"] is not None:
        if module.check_mode and disk["version"] is None:
            finish(module, "started", "it would be installed")
        module.fail_json(msg="the agent would not start: %s" % disk["problem"])

    if unit["LoadState"] == "masked":
        finish(module, "left", "the operator has masked the service")
    if unit["ActiveState"] not in ("active", "activating", "reloading"):
        if not first_start:
            finish(module, "left", "the operator has stopped the service")
        action, reason = "started", "it has never run here"
    else:
        kind, reason = difference(module, unit, disk)
        action = kind or "none"
    if action == "none" and not first_start:
        finish(module, action, reason)
    if module.check_mode:
        finish(module, action, reason)

    if first_start:
        systemctl(module, "enable", agent.UNIT)
    if action == "none":
        finish(module, action, reason)
    if action == "reloaded":
        systemctl(module, "reload", agent.UNIT)
        kind, dummy = wait(module, time.time() + RELOAD_S, disk)
        if kind is None:
            finish(module, action, reason)
        action = "restarted"
    code, dummy, errors = systemctl(module, "start" if action == "started" else "restart", agent.UNIT)
    if code != 0:
        finish(module, action, reason, errors.strip())
    kind, last = wait(module, time.time() + deadline_s, disk)
    finish(module, action, reason, None if kind is None else last)


if __name__ == "__main__":
    main()
