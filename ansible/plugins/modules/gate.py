#!/usr/bin/python
# MIT License (see LICENSE)
from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: gate
short_description: Whether the agent of this host works, as data
description:
  - Never fails because of what it sees; the verdict is made of the answers of all hosts.
  - The agent works when its service runs with one process during the whole soak, it is ready, its account balances,
    nothing new is lost, version and configuration are those on the disk, and a C(host_status) that it emits on demand has
    been acknowledged by every sink.
author: KTC agent maintainers
attributes:
  check_mode:
    support: full
    description: Changes nothing but one more event in the stream, and not even that in check mode.
options:
  version:
    description: The version that has to run; that on the disk where it is left out.
    type: str
  source:
    description: The kind of source that it has to read; any where it is left out.
    type: str
  soak_s:
    description: How long the agent has to be seen working, in seconds.
    type: int
    default: 120
  deadline_s:
    description: >-
      How long it may take until all is well, in seconds, before the soak begins, and again where something is not well during it.
    type: int
    default: 120
"""

EXAMPLES = r"""
- name: Look whether the agent works
  ktc.agent.gate:
    version: 0.2.0
  register: gate
"""

RETURN = r"""
gate:
  description:
    - verdict is well, sick, sink_ill (the agent is well but for a sink that does not take events), or off (the operator
      has stopped the service).
    - reasons are one line each.
    - host_status says which event was emitted on demand and acknowledged; with C(event_id), C(version), C(config_hash),
      and C(since_ms), the time before it by the host's clock, in milliseconds since 1970.
  type: dict
  returned: always
"""

import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.ktc.agent.plugins.module_utils import agent

PAUSE_S = 1


def lost(snapshot):
    return sum(snapshot["ledger"]["lost"].values())


def given_up(snapshot):
    sinks = snapshot["ledger"]["sinks"].values()
    return sum(sum(sink["rejected"].values()) + sum(sink["dropped"].values()) for sink in sinks)


def outstanding(snapshot, name):
    sink = snapshot["ledger"]["sinks"][name]
    return sink["queued"] + sink["spooled"] + sink["in_flight"]


def look(module, version):
    """One look: (snapshot, reasons, reasons that are the sinks' alone)."""
    unit = agent.unit_state(module, agent.UNIT)
    if unit["ActiveState"] != "active":
        return None, ["the service is %s (%s)" % (unit["ActiveState"], unit["SubState"])], []
    disk = agent.disk_state(module)
    if disk["problem"] is not None:
        return None, ["the agent would not start again: %s" % disk["problem"]], []
    snapshot, problem = agent.running_snapshot(module, disk["telemetry"])
    if snapshot is None:
        return None, [problem], []
    snapshot["pid"] = unit["MainPID"]
    reasons = []
    if snapshot["version"] != (version or disk["version"]):
        reasons.append("version %s runs, not %s" % (snapshot["version"], version or disk["version"]))
    if snapshot["host_status"]["config_hash"] != disk["config_hash"]:
        reasons.append("another configuration runs than is on the disk")
    source = module.params["source"]
    if source is not None and snapshot["source"]["open"] and snapshot["source"]["kind"] != source:
        reasons.append("it reads %s, not %s" % (snapshot["source"]["kind"], source))
    unready = agent.unreadiness(snapshot, disk["telemetry"])
    sinks = [reason for reason in unready if reason.startswith("sink ")]
    reasons += [reason for reason in unready if not reason.startswith("sink ")]
    return snapshot, reasons, sinks


def wait_until_well(module, version, deadline):
    while True:
        snapshot, reasons, sinks = look(module, version)
        if not reasons and not sinks or time.time() > deadline:
            return snapshot, reasons, sinks
        time.sleep(PAUSE_S)


def emit(module):
    """Lets the agent emit a host_status. Gives (event, None) or (None, problem)."""
    disk = agent.disk_state(module)
    since_ms = int(time.time() * 1000)
    code, output, errors = module.run_command([agent.PROGRAM, "status", "--emit", "--address", disk["telemetry"]])
    if code != 0:
        return None, errors.strip()
    names = ("version", "config_hash")
    return dict([(name, disk[name]) for name in names], event_id=output.strip(), since_ms=since_ms), None


def wait_until_acknowledged(module, version, deadline):
    """Emits a host_status and waits until every sink has acknowledged it: (event, reasons, reasons of sinks)."""
    event, problem = emit(module)
    if event is None:
        return None, ["no host_status: %s" % problem], []
    snapshot, reasons, sinks = look(module, version)
    if snapshot is None:
        return None, reasons, sinks
    # Sinks keep the order, so what was emitted until now is settled when so many events are.
    emitted = snapshot["ledger"]["emitted"]
    while True:
        behind = []
        for name, sink in snapshot["ledger"]["sinks"].items():
            settled = snapshot["ledger"]["emitted"] + sink["recovered"] - outstanding(snapshot, name)
            if settled - sink["recovered"] < emitted:
                behind.append("sink %s has not acknowledged host_status %s" % (name, event["event_id"]))
        if not behind or time.time() > deadline:
            return event, reasons, sinks + behind
        time.sleep(PAUSE_S)
        snapshot, reasons, sinks = look(module, version)
        if snapshot is None:
            return None, reasons, sinks


def soak(module, version, first, seconds, deadline_s):
    """Looks until the soak is over: reasons why it was not well, of which those that go within the deadline are none."""
    # What it has run already counts.
    end = time.time() + max(0, seconds - first["uptime_s"])
    while True:
        # A sink that reconnects, because its broker was restarted, is no reason to take a version back.
        snapshot, reasons, sinks = wait_until_well(module, version, time.time() + deadline_s)
        if reasons or sinks:
            return reasons, sinks
        if snapshot["pid"] != first["pid"] or snapshot["uptime_s"] < first["uptime_s"]:
            return ["the agent has started again during the soak"], []
        if lost(snapshot) > lost(first):
            return ["%d records were lost during the soak" % (lost(snapshot) - lost(first))], []
        if given_up(snapshot) > given_up(first):
            return ["%d events were dropped or refused during the soak" % (given_up(snapshot) - given_up(first))], []
        if time.time() > end:
            return [], []
        time.sleep(PAUSE_S)


def verdict(module, version, soak_s, deadline_s):
    unit = agent.unit_state(module, agent.UNIT)
    if unit["LoadState"] == "not-found":
        return {"verdict": "sick", "reasons": ["the agent is not installed"], "host_status": None}
    if unit["ActiveState"] == "inactive" or unit["LoadState"] == "masked":
        return {"verdict": "off", "reasons": ["the operator has stopped the service"], "host_status": None}
    deadline = time.time() + deadline_s
    event = None
    first, reasons, sinks = wait_until_well(module, version, deadline)
    if not reasons and not sinks:
        if not module.check_mode:
            event, reasons, sinks = wait_until_acknowledged(module, version, deadline)
        if not reasons and not sinks:
            reasons, sinks = soak(module, version, first, soak_s, deadline_s)
    name = "sick" if reasons else "sink_ill" if sinks else "well"
    return {"verdict": name, "reasons": reasons + sinks, "host_status": event}


def main():
    module = AnsibleModule(
        argument_spec={
            "version": {"type": "str"},
            "source": {"type": "str"},
            "soak_s": {"type": "int", "default": 120},
            "deadline_s": {"type": "int", "default": 120},
        },
        supports_check_mode=True,
    )
    module.exit_json(changed=False, gate=verdict(module, *[module.params[key] for key in ("version", "soak_s", "deadline_s")]))


if __name__ == "__main__":
    main()
