# MIT License (see LICENSE)
"""The agent's RPM or Debian package on a host: what is installed, and which files are kept. For Python 2.7 and newer."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os
import re

from ansible_collections.ktc.agent.plugins.module_utils import agent

DIRECTORY = agent.HOME + "/packages"
PREVIOUS = DIRECTORY + "/previous"
NAMES = {"rpm": "ktc-agent-%s-1.x86_64.rpm", "deb": "ktc-agent_%s-1_amd64.deb"}
PROGRAMS = {"rpm": "rpm", "deb": "dpkg"}
QUERIES = {
    "rpm": ["rpm", "--query", "--queryformat", "installed %{VERSION}", "ktc-agent"],
    "deb": ["dpkg-query", "--show", "--showformat", "${db:Status-Status} ${Version}", "ktc-agent"],
}


def formats(module):
    """The formats that this host can install."""
    return sorted(name for name, program in PROGRAMS.items() if module.get_bin_path(program) is not None)


def has_rpm_database(module, rpm):
    """Where there is none, rpm makes one to look into it."""
    # EL has it in /var/lib/rpm, Debian's rpm in the home of its user.
    path = module.run_command([rpm, "--eval", "%{_dbpath}"])[1].strip()
    return os.path.isdir(path) and len(os.listdir(path)) > 0


def installed(module, package_format):
    """The installed version; None where there is none, or it was only half installed."""
    query = QUERIES[package_format]
    program = module.get_bin_path(query[0])
    if program is None or (package_format == "rpm" and not has_rpm_database(module, program)):
        return None
    code, output, dummy = module.run_command([program] + query[1:])
    words = output.split()
    if code != 0 or words[:1] != ["installed"]:
        return None
    version = words[-1][: -len("-1")] if package_format == "deb" else words[-1]
    # As the packages write what stands behind a hyphen: packageVersion in packaging/options.ts.
    return version.replace("~", "-")


def file_name(package_format, version):
    """As `make package` names it. In RPM and Debian packages, what stands behind a hyphen in a version comes behind a tilde."""
    if package_format == "tarball":
        return "ktc-agent-%s-linux-x64.tar.gz" % version
    return NAMES[package_format] % version.replace("-", "~")


def path_of(package_format, version):
    """Where the file of a version is kept on the host."""
    return "%s/%s" % (DIRECTORY, file_name(package_format, version))


def kept(package_format):
    """The versions whose file is on the host."""
    pattern = re.escape(NAMES[package_format]).replace("\\%s", "%s") % "(.+)"
    names = os.listdir(DIRECTORY) if os.path.isdir(DIRECTORY) else []
    found = [re.match(pattern + "$", name) for name in names]
    return sorted(match.group(1).replace("~", "-") for match in found if match)


def previous():
    """The version that was installed before the present one; None where this collection has changed none."""
    return (agent.read_text(PREVIOUS) or "").strip() or None
