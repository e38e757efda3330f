# MIT License (see LICENSE)
"""Names of files of a version, by the package that it comes in: tarball, rpm or deb."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from ansible_collections.ktc.agent.plugins.module_utils import agent, packages


def package_file(version, package_format):
    """The file of the package on the controller."""
    return packages.file_name(package_format, version)


def program(version, package_format):
    """The agent's program on a host; tarballs have one for each version."""
    return agent.release_program(version) if package_format == "tarball" else agent.PROGRAM


class FilterModule(object):
    def filters(self):
        return {"package_file": package_file, "program": program}
