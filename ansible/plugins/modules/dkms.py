#!/usr/bin/python
# MIT License (see LICENSE)
from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: dkms
short_description: Lets DKMS build tcp_trace.ko, now and for each new kernel
description:
  - Gives the sources of a release to DKMS, in place of those of another version of the module, and builds and installs them
    for the given kernels, of which those without headers are left out. DKMS builds them for each kernel that is installed later.
author: KTC agent maintainers
attributes:
  check_mode:
    support: full
    description: Says whether something would be built or removed.
options:
  state:
    description: C(absent) takes all versions of the module away from DKMS, where the host has DKMS.
    type: str
    choices: [present, absent]
    default: present
  sources:
    description: The directory of the sources, with their dkms.conf.
    type: path
  kernels:
    description: The kernels, as C(uname -r) says it.
    type: list
    elements: str
"""

EXAMPLES = r"""
- name: Let DKMS build the module
  ktc.agent.dkms:
    sources: /usr/lib/ktc-agent/kmodule
    kernels: [6.1.0-56-amd64]
"""

RETURN = r"""
version:
  description: The version of the module; null in check mode before its sources are on the host.
  type: str
  returned: state is present
"""

import os
import re
import shutil

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.ktc.agent.plugins.module_utils import agent, footprint

NAME = "tcp_trace"
TREE = "/var/lib/dkms/" + NAME
# All that DKMS has to know to remove a version whose sources are gone.
CONFIGURATION = """PACKAGE_NAME="%s"
PACKAGE_VERSION="%s"
BUILT_MODULE_NAME[0]="%s"
DEST_MODULE_LOCATION[0]="/updates"
"""


def run(module, *words):
    code, output, errors = module.run_command(["dkms"] + list(words))
    if code != 0:
        module.fail_json(msg="dkms %s ended with %d: %s" % (" ".join(words), code, (errors or output).strip()))
    return output


def status(module):
    """(version, kernel, state) of each line; kernel is None for sources that were only added. DKMS 2 and 3 differ."""
    lines = run(module, "status").splitlines()
    found = [re.match(NAME + r"(?:/|, )([^,:]+)(?:, ([^,:]+), [^,:]+)?: (\w+)", line) for line in lines]
    return [match.groups() for match in found if match]


def sources_of(version):
    return "/usr/src/%s-%s" % (NAME, version)


def restore_lost_sources(module):
    """A package that was changed has taken the sources of its version away, and without them DKMS does nothing at all."""
    if module.check_mode:
        return
    versions = os.listdir(TREE) if os.path.isdir(TREE) else []
    for version in versions:
        # Beside the versions are links to what is installed for each kernel.
        is_lost = os.path.islink("%s/%s/source" % (TREE, version)) and not os.path.exists("%s/%s/source" % (TREE, version))
        if is_lost:
            footprint.write_file(CONFIGURATION % (NAME, version, NAME), sources_of(version) + "/dkms.conf")


def remove(module, version):
    run(module, "remove", "%s/%s" % (NAME, version), "--all")
    # A link is of the package, a directory is what `dkms add` has made.
    if os.path.isdir(sources_of(version)) and not os.path.islink(sources_of(version)):
        shutil.rmtree(sources_of(version))


def add(module, sources, version, known):
    """Makes this version the only one that DKMS knows."""
    for other in set(one for one, dummy, dummy2 in known if one != version):
        remove(module, other)
    if version not in [one for one, dummy, dummy2 in known]:
        run(module, "add", "%s/%s" % (NAME, version) if os.path.exists(sources_of(version)) else sources)


def present(module, sources, kernels):
    text = agent.read_text(sources + "/dkms.conf")
    if text is None and module.check_mode:
        module.exit_json(changed=True, version=None)
    if text is None:
        module.fail_json(msg="there is no %s/dkms.conf" % sources)
    version = re.search(r'^PACKAGE_VERSION="(.*)"', text, re.M).group(1)
    restore_lost_sources(module)
    known = status(module)
    buildable = [kernel for kernel in kernels if agent.has_headers(kernel)]
    missing = [kernel for kernel in buildable if (version, kernel, "installed") not in known]
    if missing and not module.check_mode:
        add(module, sources, version, known)
        for kernel in missing:
            run(module, "install", "%s/%s" % (NAME, version), "-k", kernel)
    module.exit_json(changed=len(missing) > 0, version=version)


def absent(module):
    if module.get_bin_path("dkms") is None:
        module.exit_json(changed=False)
    restore_lost_sources(module)
    versions = sorted(set(version for version, dummy, dummy2 in status(module)))
    for version in versions if not module.check_mode else []:
        remove(module, version)
    module.exit_json(changed=len(versions) > 0)


def main():
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "sources": {"type": "path"},
            "kernels": {"type": "list", "elements": "str"},
        },
        required_if=[("state", "present", ["sources", "kernels"])],
        supports_check_mode=True,
    )
    agent.lock_host()
    os.umask(0o022)
    if module.params["state"] == "absent":
        absent(module)
    present(module, module.params["sources"], module.params["kernels"])


if __name__ == "__main__":
    main()
