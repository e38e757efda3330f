#!/usr/bin/python
# MIT License (see LICENSE)
from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: package
short_description: The agent's RPM or Debian package, from a file on the host
description:
  - Installs, changes in both directions, and removes it by rpm or dpkg themselves, so no repository is asked, and a
    lower version is as good as a higher one.
  - Does not restart the agent, because M(ktc.agent.converge) does that when the configuration is there.
  - Files of packages are kept in C(/opt/ktc-agent/packages), because rpm and dpkg keep one version only.
author: KTC agent maintainers
attributes:
  check_mode:
    support: full
    description: Says what would change.
  diff_mode:
    support: full
    description: Shows the version before and after.
options:
  format:
    description: Which package.
    type: str
    choices: [rpm, deb]
    required: true
  state:
    description:
      - C(present) makes I(version) the installed one.
      - C(absent) removes the package, and not what others have put beside its files.
    type: str
    choices: [present, absent]
    default: present
  version:
    description: Which version; its file is in C(/opt/ktc-agent/packages).
    type: str
  previous:
    description:
      - What to remember as the version before, for a step that undoes one; empty for none.
      - That which is installed now, where it is left out.
    type: str
  keep:
    description: How many files of packages stay on the host, beside that of the installed version and the one before.
    type: int
    default: 1
"""

EXAMPLES = r"""
- name: Install version 0.2.0
  ktc.agent.package:
    format: rpm
    version: 0.2.0
"""

RETURN = r"""
previous:
  description: The version that was installed before, which undoes this step; null where there was none.
  type: str
  returned: always
removed:
  description: Versions whose file was removed.
  type: list
  elements: str
  returned: state is present
left:
  description: Files that rpm or dpkg have left beside changed configuration files, such as .rpmnew.
  type: list
  elements: str
  returned: state is present
"""

import glob
import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.ktc.agent.plugins.module_utils import agent, footprint, packages, units

# The scriptlet that would restart the agent is left out; Debian has no option for that, and its script asks a variable.
INSTALL = {"rpm": ["rpm", "--upgrade", "--oldpackage", "--noposttrans"], "deb": ["dpkg", "--force-confold", "--install"]}
ENVIRONMENT = {"KTC_LEAVE_RUNNING": "yes", "DEBIAN_FRONTEND": "noninteractive"}
REMOVE = {"rpm": ["rpm", "--erase", "ktc-agent"], "deb": ["dpkg", "--purge", "ktc-agent"]}
# What the packages make of the user; they have no other.
USER = "ktc"
CONFIGURATION_FILES = [
    agent.CONFIGURATION + "/agent.json",
    agent.CONFIGURATION + "/conf.d/*",
    "/etc/sysconfig/ktc-agent",
    "/etc/default/ktc-agent",
]
ENDINGS = [".rpmnew", ".rpmsave", ".rpmorig", ".dpkg-dist", ".dpkg-old", ".dpkg-new"]


def left_beside():
    return sorted(path for name in CONFIGURATION_FILES for ending in ENDINGS for path in glob.glob(name + ending))


def run(module, command):
    code, output, errors = module.run_command(command, environ_update=ENVIRONMENT)
    if code != 0:
        module.fail_json(msg="%s ended with %d: %s" % (" ".join(command), code, (errors or output).strip()))


def wanted_units(module, package_format):
    """The RPM is made for systemd 219; what newer ones know besides is put beside its units."""
    is_needed = package_format == "rpm" and units.is_newer(module)
    return units.drop_ins("/usr/share/ktc-agent/systemd/newer") if is_needed else {}


def prune(package_format, version, keep):
    """Removes the oldest files; never that of the installed version or of the one before."""
    others = [name for name in packages.kept(package_format) if name not in (version, packages.previous())]
    others.sort(key=lambda name: os.stat(packages.path_of(package_format, name)).st_ctime, reverse=True)
    for name in others[keep:]:
        os.unlink(packages.path_of(package_format, name))
    return others[keep:]


def install(module, package_format, version, before):
    path = packages.path_of(package_format, version)
    if not os.path.exists(path):
        here = ", ".join(packages.kept(package_format)) or "none"
        module.fail_json(msg="the package of version %s is not on this host; here are: %s" % (version, here))
    footprint.note_before_installation(module, USER)
    run(module, INSTALL[package_format] + [path])
    previous = module.params["previous"]
    footprint.write_file("%s\n" % (before or "" if previous is None else previous), packages.PREVIOUS)
    # agent.json is that of config_layers, whatever the package has for it.
    for path in left_beside():
        if path.startswith(agent.CONFIGURATION + "/agent.json."):
            os.unlink(path)


def present(module, package_format, version, keep):
    before = packages.installed(module, package_format)
    removed = []
    # What the units have to be is known once the package is there.
    is_complete = before == version and units.present() == wanted_units(module, package_format)
    if not is_complete and not module.check_mode:
        if before != version:
            install(module, package_format, version, before)
        units.write(wanted_units(module, package_format))
        module.run_command(["systemctl", "daemon-reload"], check_rc=True)
        removed = prune(package_format, version, keep)
    module.exit_json(
        changed=not is_complete,
        previous=before if before != version else None,
        removed=removed,
        left=left_beside(),
        diff={"before": "package %s\n" % before, "after": "package %s\n" % version},
    )


def absent(module, package_format):
    before = packages.installed(module, package_format)
    if before is not None and not module.check_mode:
        run(module, REMOVE[package_format])
        for path in left_beside():
            os.unlink(path)
    module.exit_json(changed=before is not None, previous=before)


def main():
    module = AnsibleModule(
        argument_spec={
            "format": {"type": "str", "choices": ["rpm", "deb"], "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "version": {"type": "str"},
            "previous": {"type": "str"},
            "keep": {"type": "int", "default": 1},
        },
        required_if=[("state", "present", ["version"])],
        supports_check_mode=True,
    )
    agent.lock_host()
    os.umask(0o022)
    package_format = module.params["format"]
    if module.params["state"] == "absent":
        absent(module, package_format)
    present(module, package_format, module.params["version"], module.params["keep"])


if __name__ == "__main__":
    main()
