# MIT License (see LICENSE)
"""Which variables of a host would have no effect, because neither the role nor its playbooks read them."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import difflib
import glob
import re

PREFIX = "ktc_agent_"
LAYER = PREFIX + "config__"


def names_in(pattern, paths):
    found = set()
    for path in paths:
        with open(path) as file:
            found.update(re.findall(pattern, file.read(), re.M))
    return found


def nearest(name, options):
    if name.startswith(LAYER[:-1]):
        return LAYER + name[len(LAYER) - 1 :]
    ends = sorted(option[len(PREFIX) :] for option in options)
    return "".join(PREFIX + end for end in difflib.get_close_matches(name[len(PREFIX) :], ends, 1))


def unknown_variables(names, role_path):
    """The names that no file of the role has, each with the option that was probably meant.

    Layers are not judged here: their names are those of groups.
    """
    tasks = glob.glob(role_path + "/tasks/*.yml") + glob.glob(role_path + "/vars/*.yml")
    options = names_in(r"^ktc_agent_\w+", [role_path + "/defaults/main.yml"])
    known = options | names_in(r"\bktc_agent_\w+", tasks + glob.glob(role_path + "/../../playbooks/*.yml"))
    unknown = sorted(name for name in names if name not in known and not name.startswith(LAYER))
    meant = [(name, nearest(name, options)) for name in unknown]
    return ["%s%s" % (name, " (%s is meant?)" % option if option else "") for name, option in meant]


class FilterModule(object):
    def filters(self):
        return {"unknown_variables": unknown_variables}
