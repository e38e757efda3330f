# MIT License (see LICENSE)
"""The verdict over a wave of a roll-out, from the answers of all its hosts."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type


def answer_of(result):
    """verdict and reasons of one host's gate; a host that gave none is sick."""
    if isinstance(result, dict) and "gate" in result:
        return result["gate"]["verdict"], result["gate"]["reasons"]
    if isinstance(result, dict) and result.get("unreachable"):
        return "sick", ["the host is not reachable any more"]
    reason = result.get("msg") if isinstance(result, dict) else None
    return "sick", [reason or "the gate was not reached"]


def emitted(results):
    """The host_status of each host whose gate has seen one acknowledged, by host."""
    gates = dict((host, result["gate"]) for host, result in results.items() if isinstance(result, dict) and "gate" in result)
    return dict((host, gate["host_status"]) for host, gate in gates.items() if gate["verdict"] == "well" and gate["host_status"])


def judge(results, failures, baseline, arrival, refused=(), is_canary=False):
    """Goes on, pauses, or fails.

    :param results: the gate's result by host of the wave
    :param failures: by host, why the installation failed; hosts without a failure are absent
    :param baseline: gate results of hosts that do not belong to the wave
    :param arrival: what the controller has read of the topic, as ``arrived`` returns it; empty where it reads none
    :param refused: hosts that could not have the agent, and were left as they were
    :param is_canary: whether this wave has to show that the version works
    :returns: ``verdict`` is pass, pause or fail; ``reasons`` are one line for each host that is not well
    """
    reasons, is_sick = ["%s: %s" % (host, failures[host]) for host in sorted(refused)], False
    verdicts = []
    for host in sorted(set(results).difference(refused)):
        verdict, why = ("sick", [failures[host]]) if failures.get(host) else answer_of(results[host])
        if verdict == "well" and host in arrival.get("missing", {}):
            verdict, why = "sick", [arrival["missing"][host]]
        verdicts.append(verdict)
        if verdict in ("well", "off"):
            continue
        reasons.append("%s: %s" % (host, "; ".join(why)))
        is_sick = is_sick or verdict == "sick"
    if is_sick:
        return {"verdict": "fail", "reasons": reasons}
    if arrival.get("problem"):
        # Nobody knows whether the events have arrived.
        return {"verdict": "pause", "reasons": reasons + ["the controller cannot read the topic: %s" % arrival["problem"]]}
    if is_canary and "well" not in verdicts:
        reasons.append("no canary runs the agent, so nothing is known of the version")
    if not reasons:
        return {"verdict": "pass", "reasons": []}
    if "sink_ill" not in verdicts:
        return {"verdict": "pause", "reasons": reasons}
    # The sink does not take events of this wave. If it does not take those of other hosts either, it is the sink. Hosts whose
    # agent is off, sick or not there say nothing about it.
    others = [verdict for verdict in (answer_of(result)[0] for result in baseline) if verdict in ("well", "sink_ill")]
    if not others or "sink_ill" in others:
        return {"verdict": "pause", "reasons": reasons + ["hosts outside the wave have the same trouble" if others else
                                                          "there is no host outside the wave to compare with"]}
    return {"verdict": "fail", "reasons": reasons}


def not_rolled_back(results):
    """The hosts that do not run their previous release again, from what became of the last step back on each."""
    return [host for host in sorted(results) if "action" not in results[host] or results[host].get("failed")]


class FilterModule(object):
    def filters(self):
        return {"judge": judge, "not_rolled_back": not_rolled_back, "emitted": emitted}
