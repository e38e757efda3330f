# MIT License (see LICENSE)
"""What the agent leaves on a host whatever its package is: user, directories, the mark of a first start. For Python 2.7 and newer."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import grp
import os
import pwd
import shutil

from ansible_collections.ktc.agent.plugins.module_utils import agent

# Which user and group came with the agent, so that no other is removed.
MADE = agent.HOME + "/made"
# Outlives an interrupted first run. Without it, a service that is not enabled is the operator's wish.
FIRST_START = agent.HOME + "/first-start"
# Path, mode, and whether it is root's or the agent's; the group is the agent's. As in the RPM and the Debian package.
DIRECTORIES = [
    (agent.CONFIGURATION, 0o750, "root"),
    (agent.CONFIGURATION + "/conf.d", 0o750, "root"),
    ("/var/lib/ktc", 0o750, "agent"),
    ("/var/lib/ktc/spool", 0o700, "agent"),
    ("/var/log/ktc", 0o750, "agent"),
]
OWN = [agent.HOME, agent.CONFIGURATION, "/var/lib/ktc", "/var/log/ktc"]


def write_file(content, path):
    if not os.path.isdir(os.path.dirname(path)):
        os.makedirs(os.path.dirname(path))
    with open(path + ".new", "w") as file:
        file.write(content)
    os.chmod(path + ".new", 0o644)
    os.rename(path + ".new", path)


def has(database, name):
    try:
        database(name)
    except KeyError:
        return False
    return True


def missing_accounts(user):
    """The lines of MADE for what the installation is about to make."""
    accounts = [("group", grp.getgrnam), ("user", pwd.getpwnam)]
    return ["%s %s" % (kind, user) for kind, database in accounts if not has(database, user)]


def note_before_installation(module, user):
    """Remembers what an uninstallation has to know, and only the time before the installation can tell."""
    noted = (agent.read_text(MADE) or "").splitlines()
    # An interrupted installation may have noted what it has not made.
    made = [line for line in missing_accounts(user) if line not in noted]
    if made:
        write_file("".join(line + "\n" for line in noted + made), MADE)
    if agent.unit_state(module, agent.UNIT)["LoadState"] == "not-found":
        write_file("The role ktc_agent enables and starts the service, and then removes this file.\n", FIRST_START)


def make_user(module, user):
    missing = missing_accounts(user)
    if "group " + user in missing:
        module.run_command(["groupadd", "--system", user], check_rc=True)
    if "user " + user in missing:
        words = ["useradd", "--system", "--gid", user, "--home-dir", "/var/lib/ktc", "--no-create-home"]
        module.run_command(words + ["--shell", "/sbin/nologin", user], check_rc=True)


def has_directories():
    return all(os.path.isdir(path) for path, dummy, dummy2 in DIRECTORIES)


def make_directories(user):
    """Makes those that are missing. One that is there may have been changed by the operator."""
    account = pwd.getpwnam(user)
    for path, mode, owner in DIRECTORIES:
        if os.path.isdir(path):
            continue
        os.makedirs(path)
        os.chmod(path, mode)
        os.chown(path, 0 if owner == "root" else account.pw_uid, account.pw_gid)


def remove(module):
    """Removes the directories, and the accounts that came with the agent. Gives what it has removed."""
    present = [path for path in OWN if os.path.exists(path)]
    made = (agent.read_text(MADE) or "").splitlines()
    if not module.check_mode:
        for path in present:
            shutil.rmtree(path)
        for line in reversed(made):
            kind, name = line.split()
            module.run_command([{"user": "userdel", "group": "groupdel"}[kind], name])
    return present + made
