# MIT License (see LICENSE)
"""The unit files that this collection puts on a host itself. For Python 2.7 and newer."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os
import re

from ansible_collections.ktc.agent.plugins.module_utils import agent, footprint

# Not /etc/systemd/system: a unit there cannot be masked.
DIRECTORY = "/usr/local/lib/systemd/system"
DROP_INS = "%s/%s.d" % (DIRECTORY, agent.UNIT)


def systemd_version(module):
    """None where there is no systemd."""
    code, output, dummy = module.run_command(["systemctl", "--version"])
    found = re.match(r"systemd (\d+)", output) if code == 0 else None
    return int(found.group(1)) if found else None


def is_newer(module):
    """Whether systemd knows what the drop-ins for newer ones have: 232 is the first with ProtectSystem=strict."""
    return (systemd_version(module) or 0) >= 232


def drop_ins(source):
    """The drop-ins of a directory of a release, by the path that they get."""
    names = sorted(os.listdir(source)) if os.path.isdir(source) else []
    return dict(("%s/%s" % (DROP_INS, name), agent.read_text("%s/%s" % (source, name))) for name in names)


def present():
    """The files of this collection in the unit directory, with their content."""
    paths = ["%s/%s" % (DIRECTORY, name) for name in (agent.UNIT, agent.MODULE_UNIT)]
    if os.path.isdir(DROP_INS):
        paths += ["%s/%s" % (DROP_INS, name) for name in os.listdir(DROP_INS)]
    return dict((path, agent.read_text(path)) for path in paths if os.path.exists(path))


def write(wanted):
    """Makes the unit directory hold exactly these files of ours; directories that become empty go as well."""
    superfluous = set(present()) - set(wanted)
    for path in superfluous:
        os.unlink(path)
    for path, content in wanted.items():
        footprint.write_file(content, path)
    for path in (DROP_INS, DIRECTORY, os.path.dirname(DIRECTORY)) if superfluous else ():
        if os.path.isdir(path) and not os.listdir(path):
            os.rmdir(path)
