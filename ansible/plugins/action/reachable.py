# MIT License (see LICENSE)
"""The controller's part of reachable: finds the addresses of the sinks in the layers of a host."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from ansible_collections.ktc.agent.plugins.module_utils import layers
from ansible_collections.ktc.agent.plugins.plugin_utils.layer_action import LayerAction


class ActionModule(LayerAction):
    def arguments_of(self, gathered):
        return {"endpoints": layers.endpoints(layers.merged([layer["content"] for layer in gathered]))}
