#!/usr/bin/python
# MIT License (see LICENSE)
from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: kernel_module
short_description: Builds tcp_trace.ko on the host for a kernel, from the sources of a release
description:
  - Builds and installs it unless the one that modprobe finds was built from the same sources for that kernel. So another release
    with other sources builds its own, in both directions; the loaded one stays until the agent or a reboot replaces it.
author: KTC agent maintainers
attributes:
  check_mode:
    support: full
    description: Says whether it would be built.
options:
  program:
    description: The C(ktc) that builds it; that of the release whose sources these are.
    type: path
    required: true
  sources:
    description: The directory of the sources.
    type: path
    required: true
  kernel:
    description: The kernel, as C(uname -r) says it.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Build the module
  ktc.agent.kernel_module:
    program: /usr/bin/ktc
    sources: /usr/lib/ktc-agent/kmodule
    kernel: 3.10.0-862.el7.x86_64
"""

RETURN = r"""
source:
  description: What tells the sources, as C(modinfo -F ktc_source) does; null in check mode before they are on the host.
  type: str
  returned: always
"""

import hashlib
import os

from ansible.module_utils.basic import AnsibleModule

# As kmodule/Kbuild computes KTC_SOURCE.
FILES = ["compat.h", "flow.h", "tcp_trace_events.h", "tcp_trace.c"]


def source_of(directory):
    """None where there are no sources."""
    digest = hashlib.sha256()
    for name in FILES:
        path = "%s/%s" % (directory, name)
        if not os.path.exists(path):
            return None
        with open(path, "rb") as file:
            digest.update(file.read())
    return digest.hexdigest()[:16]


def field(module, kernel, name):
    """What the installed module says of itself; empty where there is none."""
    dummy, output, dummy2 = module.run_command(["modinfo", "-k", kernel, "-F", name, "tcp_trace"])
    return output.strip()


def is_built(module, kernel, source):
    fits = field(module, kernel, "vermagic").split(" ")[0] == kernel
    return fits and source is not None and field(module, kernel, "ktc_source") == source


def main():
    module = AnsibleModule(
        argument_spec={
            "program": {"type": "path", "required": True},
            "sources": {"type": "path", "required": True},
            "kernel": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    os.umask(0o022)
    program, kernel = module.params["program"], module.params["kernel"]
    source = source_of(module.params["sources"])
    if is_built(module, kernel, source):
        module.exit_json(changed=False, source=source)
    if not module.check_mode:
        code, output, errors = module.run_command([program, "module", "build", "--kernel", kernel])
        if code != 0:
            module.fail_json(msg=(errors or output).strip())
    module.exit_json(changed=True, source=source)


if __name__ == "__main__":
    main()
