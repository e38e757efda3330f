# MIT License (see LICENSE)
"""For actions that need the layers of a host, which only the controller knows."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from ansible import constants
from ansible.errors import AnsibleError, AnsibleUndefinedVariable
from ansible.plugins.action import ActionBase
from ansible_collections.ktc.agent.plugins.module_utils import layers


class LayerAction(ActionBase):
    """Runs the module of its name on the host, with what ``arguments_of`` makes of the layers."""

    def run(self, tmp=None, task_vars=None):
        result = super(LayerAction, self).run(tmp, task_vars)
        try:
            arguments = dict(self._task.args, **self.arguments_of(self.gather(task_vars)))
        except layers.LayerProblem as problem:
            result.update(failed=True, msg=str(problem))
            return result
        result.update(self._execute_module(module_args=arguments, task_vars=task_vars))
        return result

    def gather(self, task_vars):
        if constants.DEFAULT_HASH_BEHAVIOUR == "merge":
            raise layers.LayerProblem(
                "hash_behaviour=merge mixes the layers of groups before the agent sees them: set it to replace in ansible.cfg"
            )
        gathered = layers.arrange(sorted(task_vars), self.groups_of_host(task_vars["inventory_hostname"]))
        for layer in gathered:
            variable = layer["variable"]
            try:
                content = self._templar.template(task_vars[variable])
            except AnsibleUndefinedVariable as error:
                raise layers.LayerProblem("%s: %s" % (variable, error))
            layers.check_content(variable, content)
            layer["content"] = content
            layer["numbers_as_text"] = layers.numbers_as_text(content)
        return gathered

    def groups_of_host(self, name):
        """(name, depth, priority) of each group. No variable has the depth, so it is asked of the inventory itself."""
        manager = self._task.get_variable_manager()
        inventory = getattr(manager, "_inventory", None)
        host = inventory.get_host(name) if inventory else None
        if host is None:
            raise AnsibleError("this version of Ansible does not show the groups of %s to a collection" % name)
        return [(group.name, group.depth, group.priority) for group in host.get_groups()]
