#!/usr/bin/python
# MIT License (see LICENSE)
from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: host_facts
short_description: What the role needs to know of a host, in one round trip
description:
  - Looks at the host and at the agent on it; changes nothing.
  - Sets the fact C(ktc_agent_host), so that no general gathering of facts is needed, which is slow and may hang.
author: KTC agent maintainers
attributes:
  check_mode:
    support: full
    description: Changes nothing.
options: {}
"""

EXAMPLES = r"""
- name: Look at the host
  ktc.agent.host_facts:
"""

RETURN = r"""
ansible_facts:
  description: C(ktc_agent_host) with kernel, systemd, free_mb, clock, packages, units, and the running agent.
  type: dict
  returned: always
"""

import os
import platform
import re

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.ktc.agent.plugins.module_utils import agent


def systemd_version(module):
    code, output, dummy = module.run_command(["systemctl", "--version"])
    found = re.match(r"systemd (\d+)", output) if code == 0 else None
    return int(found.group(1)) if found else None


def distribution():
    lines = (agent.read_text("/etc/os-release") or "").splitlines()
    values = dict(line.split("=", 1) for line in lines if "=" in line)
    return {key.lower(): values.get(key, "").strip('"') for key in ("ID", "VERSION_ID", "ID_LIKE")}


def is_clock_synchronized(module):
    """None where systemd does not say."""
    dummy, output, dummy2 = module.run_command(["timedatectl"])
    found = re.search(r"(?:System clock|NTP) synchronized: (yes|no)", output)
    return found.group(1) == "yes" if found else None


def is_secure_boot():
    directory = "/sys/firmware/efi/efivars"
    names = os.listdir(directory) if os.path.isdir(directory) else []
    for name in names:
        if name.startswith("SecureBoot-"):
            with open(os.path.join(directory, name), "rb") as file:
                return bytearray(file.read())[-1] == 1
    return False


def live_patches():
    """Modules of kpatch and livepatch: they and a kprobe exclude each other on one function (kernel 3.10)."""
    found = []
    for directory in ("/sys/kernel/livepatch", "/sys/kernel/kpatch"):
        if os.path.isdir(directory):
            found += os.listdir(directory)
    return sorted(found)


def free_mb(path):
    while not os.path.exists(path):
        path = os.path.dirname(path)
    status = os.statvfs(path)
    return status.f_bavail * status.f_frsize // 2**20


def has_rpm_database():
    return any(os.path.exists("/var/lib/rpm/" + name) for name in ("Packages", "rpmdb.sqlite"))


def package_of(module):
    """How the agent was installed: rpm, deb, tarball, or None."""
    for name, command in (
        ("rpm", ["rpm", "-q", "--queryformat", "%{VERSION}-%{RELEASE}", "ktc-agent"]),
        ("deb", ["dpkg-query", "--show", "--showformat", "${db:Status-Status} ${Version}", "ktc-agent"]),
    ):
        program = module.get_bin_path(command[0])
        # Where there is no database, rpm makes one.
        if program is None or (name == "rpm" and not has_rpm_database()):
            continue
        code, output, dummy = module.run_command([program] + command[1:])
        if code == 0 and not output.startswith(("not-installed", "config-files")):
            return name, output.split()[-1]
    link = agent.read_link(agent.HOME + "/current")
    return ("tarball", os.path.basename(link)) if link else (None, None)


def module_state(kernel):
    path = None
    for directory in ("extra", "updates", "updates/dkms"):
        candidate = "/lib/modules/%s/%s/tcp_trace.ko" % (kernel, directory)
        if os.path.exists(candidate):
            path = candidate
    return {"path": path, "loaded": os.path.isdir("/sys/module/tcp_trace")}


def main():
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)
    kernel = platform.release()
    package_format, package_version = package_of(module)
    disk = agent.disk_state(module)
    snapshot, problem = (None, None)
    unit = agent.unit_state(module, agent.UNIT)
    if unit.get("ActiveState") in ("active", "reloading"):
        snapshot, problem = agent.running_snapshot(module, disk["telemetry"])
    previous = agent.read_link(agent.HOME + "/previous")
    facts = {
        "kernel": kernel,
        "architecture": platform.machine(),
        "python": platform.python_version(),
        "distribution": distribution(),
        "systemd": systemd_version(module),
        "free_mb": free_mb(agent.RELEASES),
        "clock_synchronized": is_clock_synchronized(module),
        "secure_boot": is_secure_boot(),
        "live_patches": live_patches(),
        "module": module_state(kernel),
        "package": {
            "format": package_format,
            "version": package_version,
            "previous": os.path.basename(previous) if previous else None,
            "releases": agent.releases(),
        },
        "unit": unit,
        "disk": disk,
        "running": snapshot,
        "running_problem": problem,
    }
    module.exit_json(changed=False, ansible_facts={"ktc_agent_host": facts})


if __name__ == "__main__":
    main()
