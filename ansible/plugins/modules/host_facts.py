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

import glob
import os
import platform
import re

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.ktc.agent.plugins.module_utils import agent, packages, units


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


def free_mb(path):
    while not os.path.exists(path):
        path = os.path.dirname(path)
    status = os.statvfs(path)
    return status.f_bavail * status.f_frsize // 2**20


def package_state(module):
    """How the agent was installed (rpm, deb, tarball or None), which version, and to which ones the host can go back."""
    for name in packages.NAMES:
        version = packages.installed(module, name)
        if version is not None:
            state = {"format": name, "version": version, "previous": packages.previous(), "releases": packages.kept(name)}
            break
    else:
        current, previous = [agent.read_link("%s/%s" % (agent.HOME, name)) for name in ("current", "previous")]
        state = {
            "format": "tarball" if current else None,
            "version": os.path.basename(current) if current else None,
            "previous": os.path.basename(previous) if previous else None,
            "releases": agent.releases(),
        }
    return dict(state, formats=packages.formats(module))


def sort_key(kernel):
    """Orders the releases of kernels as rpm does: 862.el7, 862.14.4.el7, 957.el7. A number is newer than a word."""
    return [(1, int(word), "") if word.isdigit() else (0, 0, word) for word in re.findall(r"\d+|[a-zA-Z_]+", kernel)]


def newer_kernels(kernel):
    """The installed kernels of which one may be booted next."""
    names = os.listdir("/lib/modules") if os.path.isdir("/lib/modules") else []
    installed = [name for name in names if os.path.exists("/lib/modules/%s/modules.dep" % name)]
    return sorted((name for name in installed if sort_key(name) > sort_key(kernel)), key=sort_key)


def module_files(kernel, directories):
    """The files of the module for a kernel, or for all with `*`; compressed where that kernel's modules are: .xz, .zst."""
    found = [glob.glob("/lib/modules/%s/%s/tcp_trace.ko*" % (kernel, directory)) for directory in directories]
    return sorted(path for paths in found for path in paths)


def has_module(kernel):
    return len(module_files(kernel, ["extra", "updates", "updates/dkms"])) > 0


# Those of TCP are the ones that the module may observe too.
KPROBE = re.compile(r"^\S+\s+[jkr]\s+((?:tcp_|inet_csk_|security_sock_graft)\w*)\+0x", re.MULTILINE)


def other_hooks(root="/sys/kernel"):
    """Live patches, of kpatch's own module too, and kprobes (kernel/kprobes.c, `report_probe`) of others."""
    patches = [path for place in ("livepatch", "kpatch", "kpatch/patches") for path in glob.glob("%s/%s/*" % (root, place))]
    names = sorted(set(os.path.basename(path) for path in patches if os.path.exists(path + "/enabled")))
    try:
        kprobes = agent.read_text(root + "/debug/kprobes/list") or ""
    except (IOError, OSError):
        # A kernel that is locked down shows debugfs to nobody.
        kprobes = ""
    probed = sorted(set(KPROBE.findall(kprobes)))
    return ["the live patch " + name for name in names] + ["a kprobe on " + name for name in probed]


def module_state(kernel):
    newer = newer_kernels(kernel)
    return {
        "installed": has_module(kernel),
        "loaded": os.path.isdir("/sys/module/tcp_trace"),
        "newer_kernels": newer,
        "missing_for": [name for name in newer if not has_module(name)],
        # What DKMS has installed is taken away by DKMS.
        "paths": module_files("*", ["extra", "updates"]),
        "headers": agent.has_headers(kernel),
        "beside": other_hooks(),
    }


def main():
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)
    kernel = platform.release()
    disk = agent.disk_state(module)
    snapshot, problem = (None, None)
    unit = agent.unit_state(module, agent.UNIT)
    if unit.get("ActiveState") in ("active", "reloading"):
        snapshot, problem = agent.running_snapshot(module, disk["telemetry"])
    facts = {
        "kernel": kernel,
        "architecture": platform.machine(),
        "python": platform.python_version(),
        "systemd": units.systemd_version(module),
        "free_mb": dict((path, free_mb(path)) for path in ("/opt", "/usr", "/var/lib", "/var/tmp")),
        "clock_synchronized": is_clock_synchronized(module),
        "secure_boot": is_secure_boot(),
        "tools": [name for name in ("gcc", "make", "dkms") if module.get_bin_path(name) is not None],
        "module": module_state(kernel),
        "package": package_state(module),
        "unit": unit,
        "disk": disk,
        "running": snapshot,
        "running_problem": problem,
    }
    module.exit_json(changed=False, ansible_facts={"ktc_agent_host": facts})


if __name__ == "__main__":
    main()
