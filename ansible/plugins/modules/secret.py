#!/usr/bin/python
# MIT License (see LICENSE)
from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: secret
short_description: One secret of the agent, in a file of its own
description:
  - Writes C(/etc/ktc/secrets/NAME) with mode 0600 for the agent's user, or removes it where I(content) is empty.
  - Shows neither the content nor a difference, and predicts rightly where neither the user nor the directory is there yet.
author: KTC agent maintainers
attributes:
  check_mode:
    support: full
    description: Says whether the file would change.
  diff_mode:
    support: none
    description: It would show the secret.
options:
  name:
    description: Name of the file.
    type: str
    required: true
  content:
    description: The secret; empty for none.
    type: str
    required: true
  user:
    description: The user that the agent becomes.
    type: str
    default: ktc
"""

EXAMPLES = r"""
- name: Write the password for Kafka
  ktc.agent.secret:
    name: kafka.password
    content: "{{ vault_kafka_password }}"
  no_log: true
  diff: false
"""

RETURN = r"""
path:
  description: The file.
  type: str
  returned: always
"""

import io
import os
import pwd

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.text.converters import to_bytes
from ansible_collections.ktc.agent.plugins.module_utils import agent

MODE = 0o600


def account_of(user):
    try:
        return pwd.getpwnam(user)
    except KeyError:
        return None


def present(path):
    """(content, mode, owner); None where there is no such file."""
    if not os.path.exists(path):
        return None
    status = os.stat(path)
    with io.open(path, "rb") as file:
        return file.read(), status.st_mode & 0o7777, status.st_uid


def write(path, content, account):
    if not os.path.isdir(agent.SECRETS):
        os.makedirs(agent.SECRETS)
        os.chmod(agent.SECRETS, 0o750)
        os.chown(agent.SECRETS, 0, account.pw_gid)
    beside = path + ".new"
    # Never readable by others, not even for a moment.
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, MODE)
    with io.open(descriptor, "wb") as file:
        file.write(content)
    os.chmod(beside, MODE)
    os.chown(beside, account.pw_uid, account.pw_gid)
    os.rename(beside, path)


def main():
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "content": {"type": "str", "required": True, "no_log": True},
            "user": {"type": "str", "default": "ktc"},
        },
        supports_check_mode=True,
    )
    agent.lock_host()
    os.umask(0o022)
    path = "%s/%s" % (agent.SECRETS, module.params["name"])
    content = to_bytes(module.params["content"])
    account = account_of(module.params["user"])
    before = present(path)
    if content == b"":
        if before is not None and not module.check_mode:
            os.unlink(path)
        module.exit_json(changed=before is not None, path=path)
    changed = account is None or before != (content, MODE, account.pw_uid)
    if changed and not module.check_mode:
        if account is None:
            module.fail_json(msg="there is no user %s to own %s" % (module.params["user"], path))
        write(path, content, account)
    module.exit_json(changed=changed, path=path)


if __name__ == "__main__":
    main()
