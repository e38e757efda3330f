# MIT License (see LICENSE)
"""The controller's part of config_layers: gathers the layers of a host, then lets the host check and install them."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from ansible_collections.ktc.agent.plugins.plugin_utils.layer_action import LayerAction


class ActionModule(LayerAction):
    def arguments_of(self, gathered):
        return {"layers": gathered}
