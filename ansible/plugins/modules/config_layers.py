#!/usr/bin/python
# MIT License (see LICENSE)
from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: config_layers
short_description: Makes /etc/ktc/conf.d of the variables ktc_agent_config__NAME
description:
  - Each variable C(ktc_agent_config__NAME) becomes one file; NAME is a group of the host, C(all) or C(host).
  - The agent lays the files over one another in the order of their names, which is the order of Ansible - all, groups by
    depth, priority and name, host. A later file replaces a list; null removes what an earlier one has set.
  - The whole set is staged, checked by I(program), and exchanged for the old one.
  - Files of conf.d that this module has not written stay as they are. /etc/ktc/agent.json is this module's, so that the
    example of a package is in no host's configuration; it names the user that the agent becomes.
author: KTC agent maintainers
attributes:
  check_mode:
    support: full
    description: Checks the whole set too, where the host has I(program).
  diff_mode:
    support: full
    description: Shows each file before and after. Secrets are never in these files.
options:
  program:
    description: The C(ktc) that checks the set; that of the release which is to read it.
    type: path
    default: /usr/bin/ktc
  version:
    description: The version of I(program). In check mode there may still be another one, which then does not check the set.
    type: str
  user:
    description: The user that the agent becomes, whose group may read the configuration.
    type: str
    default: ktc
  keep_as:
    description: Keep the old set under this name, that of its release, for a way back to it.
    type: str
  restore:
    description: Instead of the variables, take the set that was kept under this name.
    type: str
  trial:
    description:
      - Change nothing and refuse nothing. Warn of keys that I(program), of whatever version, does not know - before an upgrade,
        those that the release which runs would have to do without.
    type: bool
    default: false
  layers:
    description: Set by the action plugin.
    type: list
    elements: dict
"""

EXAMPLES = r"""
- name: Configure the agent
  ktc.agent.config_layers:
"""

RETURN = r"""
files:
  description: The files of the set, in the order in which the agent reads them.
  type: list
  elements: str
  returned: always
unknown:
  description: What I(program) says of each key that it does not know.
  type: list
  elements: str
  returned: with I(trial)
"""

import ctypes
import json
import os
import pwd
import shutil

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.ktc.agent.plugins.module_utils import agent

BASE = agent.CONFIGURATION + "/agent.json"
DIRECTORY = agent.CONFIGURATION + "/conf.d"
STAGE = agent.CONFIGURATION + "/.stage"
KEPT = agent.CONFIGURATION + "/.kept"
# Which files are this module's, and the variable and group of each. The agent leaves hidden files out.
MANIFEST = ".layers.json"
# renameat2(2), Linux 3.15 and newer.
RENAMEAT2 = 316
AT_FDCWD = -100
RENAME_EXCHANGE = 2


def read_set(directory):
    """The content of each file, by name."""
    names = os.listdir(directory) if os.path.isdir(directory) else []
    return dict((name, agent.read_text("%s/%s" % (directory, name))) for name in names)


def pretty(value):
    return json.dumps(value, indent=2, sort_keys=True, separators=(",", ": ")) + "\n"


def wanted_set(before, layers):
    """What conf.d has to hold: the layers, their manifest, and what others have put there."""
    ours = json.loads(before.get(MANIFEST) or "{}")
    wanted = dict((name, content) for name, content in before.items() if name not in ours and name != MANIFEST)
    for layer in layers:
        wanted[layer["file"]] = pretty(layer["content"])
    wanted[MANIFEST] = pretty(
        dict((layer["file"], {"variable": layer["variable"], "group": layer["group"]}) for layer in layers)
    )
    return wanted


def write_file(path, content, group):
    with open(path, "w") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.chmod(path, 0o640)
    os.chown(path, 0, group)


def write_set(directory, files, group):
    shutil.rmtree(directory, ignore_errors=True)
    os.makedirs(directory)
    os.chmod(directory, 0o750)
    os.chown(directory, 0, group)
    for name, content in files.items():
        write_file("%s/%s" % (directory, name), content, group)


def exchange(new, old):
    """Exchanges two directories at once. Kernel 3.10 cannot, and gets two renames one after the other."""
    libc = ctypes.CDLL(None, use_errno=True)
    flags = (AT_FDCWD, new.encode(), AT_FDCWD, old.encode(), RENAME_EXCHANGE)
    if libc.syscall(RENAMEAT2, *flags) == 0:
        return
    os.rename(old, new + ".old")
    os.rename(new, old)
    os.rename(new + ".old", new)


def recover():
    """Completes an exchange by two renames that was interrupted between them."""
    if not os.path.isdir(DIRECTORY) and os.path.isdir(STAGE + "/conf.d.old"):
        os.rename(STAGE + "/conf.d.old", DIRECTORY)


def explain(line, layers):
    """Puts the variable and its group where the agent names a staged file, and a hint where Jinja has made text."""
    for layer in layers:
        path = "%s/conf.d/%s" % (STAGE, layer["file"])
        if path not in line:
            continue
        line = line.replace(path, "%s of group %s" % (layer["variable"], layer["group"]))
        if any(": %s: " % text in line for text in layer["numbers_as_text"]):
            line += (
                ' (it is text where a number is needed, as "{{ n + 1 }}" makes it: write the whole variable as one'
                " expression, \"{{ {'batch': {'linger_ms': n + 1}} }}\", or set jinja2_native)"
            )
    return line.replace(STAGE, agent.CONFIGURATION).replace("ktc: ", "", 1)


def can_check(module, program, version):
    """Whether the program that is to read the set is there."""
    if not os.path.exists(program):
        return False
    return version is None or module.run_command([program, "--version"])[1].strip() == version


def problems_of(module, program, layers):
    """What the agent finds wrong in the staged set, one line each."""
    command = [program, "config", "check", "--config", STAGE + "/agent.json"]
    code, output, errors = module.run_command(command)
    if code == 0:
        return []
    lines = errors.strip().splitlines() or ["%s ended with %d" % (" ".join(command), code)]
    return [explain(line, layers) for line in lines]


def report_unknown(module, problems):
    """Ends a trial. What is unknown is no fault: the release that is to come is asked when it is there."""
    unknown = [line for line in problems if ": unknown key" in line]
    for line in unknown:
        module.warn("the release that is installed now does not know a key: " + line)
    module.exit_json(changed=False, files=[], unknown=unknown)


def group_of(user):
    """The group that may read the configuration: root's, until the agent's own has been made."""
    try:
        return pwd.getpwnam(user).pw_gid
    except KeyError:
        return 0


def difference(before, after):
    """The files that change, for --diff."""
    names = sorted(name for name in set(before) | set(after) if before.get(name) != after.get(name) and name != MANIFEST)

    def text_of(files):
        return "".join("# %s\n%s" % (name, files[name]) for name in names if files.get(name) is not None)

    return {"before": text_of(before), "after": text_of(after)}


def main():
    module = AnsibleModule(
        argument_spec={
            "program": {"type": "path", "default": agent.PROGRAM},
            "version": {"type": "str"},
            "user": {"type": "str", "default": "ktc"},
            "keep_as": {"type": "str"},
            "restore": {"type": "str"},
            "trial": {"type": "bool", "default": False},
            "layers": {"type": "list", "elements": "dict"},
        },
        supports_check_mode=True,
    )
    agent.lock_host()
    os.umask(0o077)
    program, layers = module.params["program"], module.params["layers"] or []
    recover()
    before = read_set(DIRECTORY)
    base, base_before = pretty({"process": {"user": module.params["user"]}}), agent.read_text(BASE)
    if module.params["restore"] is not None:
        kept = "%s/%s" % (KEPT, module.params["restore"])
        if not os.path.isdir(kept):
            module.exit_json(changed=False, files=sorted(before))
        wanted = read_set(kept)
    else:
        wanted = wanted_set(before, layers)

    group = group_of(module.params["user"])
    is_checked = can_check(module, program, module.params["version"])
    problems = []
    if not is_checked and not (module.check_mode or module.params["trial"]):
        version = module.params["version"] or "any version"
        module.fail_json(msg="%s of %s is not there to check the configuration" % (program, version))
    if is_checked:
        write_set(STAGE + "/conf.d", wanted, group)
        write_file(STAGE + "/agent.json", base, group)
        problems = problems_of(module, program, layers)
    if module.params["trial"] or problems:
        shutil.rmtree(STAGE, ignore_errors=True)
    if module.params["trial"]:
        report_unknown(module, problems)
    if problems:
        module.fail_json(
            msg="the configuration is refused and the old one stays:\n" + "\n".join(problems), problems=problems
        )
    changed = wanted != before or base != base_before
    if changed and not module.check_mode:
        os.rename(STAGE + "/agent.json", BASE)
        if not os.path.isdir(DIRECTORY):
            os.mkdir(DIRECTORY, 0o750)
        exchange(STAGE + "/conf.d", DIRECTORY)
    keep_as = module.params["keep_as"]
    # Once: after an interrupted run, what is there now is the new set already.
    if keep_as is not None and not module.check_mode and (changed or not os.path.isdir("%s/%s" % (KEPT, keep_as))):
        write_set("%s/%s" % (KEPT, keep_as), before, group)
    # A release that gets another set has no older one to go back to.
    replaced = module.params["restore"] or module.params["version"]
    if replaced is not None and not module.check_mode:
        shutil.rmtree("%s/%s" % (KEPT, replaced), ignore_errors=True)
    shutil.rmtree(STAGE, ignore_errors=True)
    module.exit_json(
        changed=changed,
        files=sorted(name for name in wanted if not name.startswith(".")),
        diff=difference(dict(before, **{"agent.json": base_before}), dict(wanted, **{"agent.json": base})),
        checked=is_checked,
    )


if __name__ == "__main__":
    main()
