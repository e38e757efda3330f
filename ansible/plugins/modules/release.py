#!/usr/bin/python
# MIT License (see LICENSE)
from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: release
short_description: Releases of the agent's tarball, side by side, and the one that is used
description:
  - Does for the tarball what rpm and dpkg do for their packages.
  - A release is unpacked beside the others, and becomes complete by one rename.
  - Another release is taken into use by one rename of the symbolic link C(/opt/ktc-agent/current).
author: KTC agent maintainers
attributes:
  check_mode:
    support: full
    description: Says what would change.
  diff_mode:
    support: full
    description: Shows the release before and after.
options:
  state:
    description:
      - C(unpacked) unpacks I(archive) unless the release is there, and makes the user and the directories of the agent.
      - C(current) makes the release the one that is used, with its units and its links in /usr/bin.
      - C(absent) removes all releases, and everything else that this module has made.
    type: str
    choices: [unpacked, current, absent]
    required: true
  version:
    description: Which release.
    type: str
  archive:
    description: The tarball on the host; it is removed once it is unpacked.
    type: path
  user:
    description: The user that the agent becomes; made where there is none.
    type: str
    default: ktc
  keep:
    description: How many releases stay on the host, beside the one in use, the one before, and one that still runs.
    type: int
    default: 1
"""

EXAMPLES = r"""
- name: Use release 0.2.0
  ktc.agent.release:
    state: current
    version: 0.2.0
"""

RETURN = r"""
previous:
  description: The release that was used before, which undoes this step; null where there was none.
  type: str
  returned: state is current
removed:
  description: What was removed.
  type: list
  elements: str
  returned: always
"""

import glob
import os
import pwd
import shutil

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.ktc.agent.plugins.module_utils import agent, footprint, units

CURRENT = agent.HOME + "/current"
PREVIOUS = agent.HOME + "/previous"
# Where the role brings a tarball, which an interrupted run may have left there.
ARCHIVES = "/var/tmp/ktc-agent-*.tar.gz"


def write_link(target, path):
    """Points the link at the target by one rename: at every moment there is the old one or the new one."""
    beside = path + ".new"
    if os.path.lexists(beside):
        os.unlink(beside)
    os.symlink(target, beside)
    os.rename(beside, path)


def unpack(module, version, archive):
    """Unpacks in place, so that files get the labels of their place (SELinux), under a name that is no release."""
    if archive is None or not os.path.exists(archive):
        module.fail_json(msg="release %s is not on this host, and neither is its tarball %s" % (version, archive))
    work = "%s/.unpacking-%s" % (agent.RELEASES, version)
    shutil.rmtree(work, ignore_errors=True)
    if not os.path.isdir(agent.RELEASES):
        os.makedirs(agent.RELEASES, 0o755)
    os.mkdir(work, 0o755)
    code, dummy, errors = module.run_command(["tar", "--extract", "--file", archive, "--directory", work])
    if code != 0 or not os.path.exists("%s/%s/bin/ktc" % (work, version)):
        shutil.rmtree(work)
        reason = errors.strip() or "there is no %s/bin/ktc in it" % version
        module.fail_json(msg="%s is not the tarball of release %s: %s" % (archive, version, reason))
    # What somebody has left there is no release.
    shutil.rmtree("%s/%s" % (agent.RELEASES, version), ignore_errors=True)
    os.rename("%s/%s" % (work, version), "%s/%s" % (agent.RELEASES, version))
    os.rmdir(work)
    restorecon = module.get_bin_path("restorecon")
    if restorecon is not None:
        module.run_command([restorecon, "-R", "%s/%s" % (agent.RELEASES, version)])
    os.unlink(archive)


def release_units(module, version):
    """What the unit directory has to hold for a release, by path."""
    source = "%s/%s/share/ktc-agent/systemd" % (agent.RELEASES, version)
    # What only newer ones know stands in a drop-in of its own.
    wanted = units.drop_ins("%s/%s" % (source, "newer" if units.is_newer(module) else "219"))
    for name in (agent.UNIT, agent.MODULE_UNIT):
        wanted["%s/%s" % (units.DIRECTORY, name)] = agent.read_text("%s/%s" % (source, name))
    return wanted


def program_links(version):
    """The links in /usr/bin, by path."""
    names = os.listdir("%s/%s/bin" % (agent.RELEASES, version))
    return dict(("/usr/bin/" + name, "%s/bin/%s" % (CURRENT, name)) for name in names)


def present_links():
    paths = ["/usr/bin/" + name for name in os.listdir("/usr/bin")]
    links = dict((path, agent.read_link(path)) for path in paths if os.path.islink(path))
    return dict((path, target) for path, target in links.items() if target.startswith(CURRENT + "/"))


def running_releases():
    """The releases whose programs run, also those that are neither the current nor the previous one."""
    targets = [agent.read_link("/proc/%s/exe" % name) or "" for name in os.listdir("/proc") if name.isdigit()]
    return set(target[len(agent.RELEASES) + 1 :].split("/")[0] for target in targets if target.startswith(agent.RELEASES + "/"))


def prune(keep):
    """Removes the oldest releases; never one that is linked or runs."""
    needed = running_releases().union(os.path.basename(agent.read_link(path) or "") for path in (CURRENT, PREVIOUS))
    others = [name for name in agent.releases() if name not in needed]
    others.sort(key=lambda name: os.stat("%s/%s" % (agent.RELEASES, name)).st_ctime, reverse=True)
    for name in others[keep:]:
        shutil.rmtree("%s/%s" % (agent.RELEASES, name))
    return others[keep:]


def use(module, version, keep):
    target = "releases/" + version
    before = agent.read_link(CURRENT)
    previous = os.path.basename(before) if before else None
    is_there = version in agent.releases()
    if not is_there and not module.check_mode:
        module.fail_json(msg="release %s is not on this host; here are: %s" % (version, ", ".join(agent.releases())))
    complete = (
        is_there
        and before == target
        and units.present() == release_units(module, version)
        and present_links() == program_links(version)
    )
    removed = []
    if not complete and not module.check_mode:
        units.write(release_units(module, version))
        if before is not None and before != target:
            write_link(before, PREVIOUS)
        write_link(target, CURRENT)
        links = program_links(version)
        for path in set(present_links()) - set(links):
            os.unlink(path)
        for path, link in links.items():
            write_link(link, path)
        module.run_command(["systemctl", "daemon-reload"], check_rc=True)
        removed = prune(keep)
    module.exit_json(
        changed=not complete,
        previous=previous if previous != version else None,
        removed=removed,
        diff={"before": "release %s\n" % previous, "after": "release %s\n" % version},
    )


def remove(module):
    """Removes everything that `use` makes, and nothing that somebody else has made."""
    archives = sorted(glob.glob(ARCHIVES))
    found = sorted(units.present()) + sorted(present_links()) + archives
    if found and not module.check_mode:
        for path in archives:
            os.unlink(path)
        for path in present_links():
            os.unlink(path)
        units.write({})
        module.run_command(["systemctl", "daemon-reload"], check_rc=True)
    found += footprint.remove(module)
    module.exit_json(changed=bool(found), removed=found)


def provide(module, version):
    user = module.params["user"]
    complete = version in agent.releases() and footprint.has(pwd.getpwnam, user) and footprint.has_directories()
    if not complete and not module.check_mode:
        footprint.note_before_installation(module, user)
        if version not in agent.releases():
            unpack(module, version, module.params["archive"])
        footprint.make_user(module, user)
        footprint.make_directories(user)
    module.exit_json(changed=not complete, removed=[])


def main():
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["unpacked", "current", "absent"], "required": True},
            "version": {"type": "str"},
            "archive": {"type": "path"},
            "user": {"type": "str", "default": "ktc"},
            "keep": {"type": "int", "default": 1},
        },
        required_if=[("state", "unpacked", ["version"]), ("state", "current", ["version"])],
        supports_check_mode=True,
    )
    agent.lock_host()
    os.umask(0o022)
    state, version = module.params["state"], module.params["version"]
    if state == "absent":
        remove(module)
    if state == "current":
        use(module, version, module.params["keep"])
    provide(module, version)


if __name__ == "__main__":
    main()
