# MIT License (see LICENSE)
"""Which file of conf.d a variable becomes, and what may not be in it. Runs on the controller."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re
from urllib.parse import urlsplit

PREFIX = "ktc_agent_config__"
HIGHEST_DEPTH = 9
HIGHEST_PRIORITY = 9


class LayerProblem(Exception):
    """A mistake in the inventory: says which variable, and what to do."""


def file_number(name, depth, priority):
    """Two digits that sort as Ansible merges: all, groups by depth and priority, host.

    They depend on nothing but the group itself, so that they stay when another group is added.
    """
    if name == "all":
        return "00"
    if name == "host":
        return "99"
    if not (1 <= depth < HIGHEST_DEPTH and 0 <= priority <= HIGHEST_PRIORITY):
        raise LayerProblem(
            "group %s has depth %d and ansible_group_priority %d; layers need a depth below %d and a priority from 0 to %d"
            % (name, depth, priority, HIGHEST_DEPTH, HIGHEST_PRIORITY)
        )
    return "%d%d" % (depth, priority)


def variable_name(group):
    """A group's name as it stands in a variable, which has letters, digits and underscores only."""
    return re.sub(r"\W", "_", group)


def arrange(variables, groups):
    """The layers of one host, in the order in which the agent lays them over one another.

    :param variables: names of the host's variables
    :param groups: (name, depth, priority) of each group of the host, ``all`` among them or not
    :returns: a list of dictionaries with file, variable and group
    """
    known = {"all": ("all", 0, 1), "host": ("host", 0, 1)}
    for name, depth, priority in groups:
        if name == "all":
            continue
        if variable_name(name) in known:
            raise LayerProblem(
                "the groups %s and %s would share the variable %s%s: rename one"
                % (name, known[variable_name(name)][0], PREFIX, variable_name(name))
            )
        known[variable_name(name)] = (name, depth, priority)
    layers = []
    for variable in variables:
        if not variable.startswith(PREFIX):
            continue
        name = variable[len(PREFIX) :]
        if name not in known:
            raise LayerProblem(
                "%s names no group of this host. It may end in all, host, or one of its groups: %s"
                % (variable, ", ".join(sorted(set(known) - set(["all", "host"]))) or "it has none")
            )
        number = file_number(name, *known[name][1:])
        layers.append({"file": "%s-%s.json" % (number, name), "variable": variable, "group": known[name][0]})
    return sorted(layers, key=lambda layer: layer["file"])


def check_content(variable, content):
    """Refuses what Ansible leaves in a value and never is what the operator meant."""
    if not isinstance(content, dict):
        raise LayerProblem("%s must be a dictionary of configuration keys, and is %s" % (variable, type(content).__name__))
    for path, value in leaves(content):
        if isinstance(value, str) and value.startswith("__omit_place_holder__"):
            raise LayerProblem(
                "%s: %s is default(omit), which only works for the options of a task: set null to remove a value, or leave the key out"
                % (variable, path)
            )


def leaves(value, path=""):
    """(dotted path, value) of everything that is neither a dictionary nor a list."""
    if isinstance(value, dict):
        for key in value:
            for leaf in leaves(value[key], "%s.%s" % (path, key) if path else str(key)):
                yield leaf
    elif isinstance(value, list):
        for index, item in enumerate(value):
            for leaf in leaves(item, "%s[%d]" % (path, index)):
                yield leaf
    else:
        yield path, value


def numbers_as_text(content):
    """Paths whose value is a number written as text, which a Jinja expression such as "{{ n + 1 }}" makes."""
    return [path for path, value in leaves(content) if isinstance(value, str) and re.match(r"-?\d+$", value)]


def merged(contents):
    """The layers laid over one another as the agent does it: dictionaries by key, everything else is replaced."""
    result = {}
    for content in contents:
        for key, value in content.items():
            is_nested = isinstance(value, dict) and isinstance(result.get(key), dict)
            result[key] = merged([result[key], value]) if is_nested else value
    return result


def endpoints(configuration):
    """Where the sinks are, by name: lists of (host, port), of which one has to answer."""
    sinks = configuration.get("sink") or {}
    kafka, otlp = sinks.get("kafka") or {}, sinks.get("otlp") or {}
    found = {}
    if kafka.get("enabled") and kafka.get("brokers"):
        found["kafka"] = [address_of(broker, 9092) for broker in kafka["brokers"]]
    if otlp.get("enabled") and otlp.get("endpoint"):
        url = urlsplit(otlp["endpoint"])
        found["otlp"] = [(url.hostname, url.port or (443 if url.scheme == "https" else 80))]
    return found


def address_of(text, default_port):
    """host:port, host, [IPv6]:port or [IPv6] as (host, port)."""
    match = re.match(r"^(?:\[(.+)\]|([^:]+))(?::(\d+))?$", text)
    if match is None:
        raise LayerProblem("%s is no address of a sink: write host:port" % text)
    return match.group(1) or match.group(2), int(match.group(3) or default_port)
