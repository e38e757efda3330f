# MIT License (see LICENSE)
"""Whether events that agents have emitted on demand are in the topic: runs on the controller."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import json
import subprocess
import tempfile
import threading
import time

from ansible.plugins.action import ActionBase

PAUSE_S = 1
# Clocks of hosts, broker and controller differ.
MARGIN_MS = 60000


def command_since(words, since_ms):
    values = {"{since_ms}": str(since_ms), "{since_s}": str(since_ms // 1000)}
    for name, value in values.items():
        words = [word.replace(name, value) for word in words]
    return words


def event_of(line, wanted):
    """The host_status of this line if it is one of the wanted. Others may have written what is none into the topic."""
    if '"event":"host_status"' not in line:
        return None
    try:
        event = json.loads(line)
        return event if event["event_id"] in wanted else None
    except (ValueError, LookupError, TypeError):
        return None


def difference(expected, event):
    """Why the event is not the one that was expected; None where it is."""
    if event is None:
        return "its host_status %s was acknowledged, and has not arrived" % expected["event_id"]
    for field, name in (("agent_version", "version"), ("config_hash", "config_hash")):
        if event.get(field) != expected[name]:
            return "its host_status has arrived with %s %s, not %s" % (field, event.get(field), expected[name])
    return None


def read(words, wanted, deadline):
    """Runs the command until it ends, has printed all, or the time is over: (events by identifier, problem or None)."""
    found = {}
    text = {"encoding": "utf-8", "errors": "replace"}
    with tempfile.TemporaryFile("w+", **text) as errors:
        try:
            process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, **text)
        except OSError as error:
            return found, "%s: %s" % (words[0], error.strerror)
        timer = threading.Timer(max(1, deadline - time.time()), process.kill)
        timer.start()
        try:
            # Line by line, because what a fleet has sent in a minute is too much for the memory.
            for line in process.stdout:
                event = event_of(line, wanted)
                if event is not None:
                    found[event["event_id"]] = event
                if len(found) == len(wanted):
                    process.kill()
                    break
            process.stdout.close()
            code = process.wait()
        finally:
            timer.cancel()
            process.kill()
        if code == 0 or len(found) == len(wanted):
            return found, None
        errors.seek(0)
        said = errors.read().strip() or "no message"
        ended = "did not end in time" if code < 0 else "ended with %d" % code
        return found, "%s %s: %s" % (words[0], ended, said.splitlines()[-1])


class ActionModule(ActionBase):
    _requires_connection = False

    def run(self, tmp=None, task_vars=None):
        result = super(ActionModule, self).run(tmp, task_vars)
        dummy, arguments = self.validate_argument_spec(
            {
                "command": {"type": "list", "elements": "str", "required": True},
                "expected": {"type": "dict", "required": True},
                "deadline_s": {"type": "int", "default": 60},
            }
        )
        expected = arguments["expected"]
        deadline = time.time() + arguments["deadline_s"]
        wanted = set(event["event_id"] for event in expected.values())
        since_ms = min([event["since_ms"] for event in expected.values()] + [int(time.time() * 1000)]) - MARGIN_MS
        words = command_since(arguments["command"], since_ms)
        events, problem = {}, None
        while len(events) < len(wanted):
            more, problem = read(words, wanted.difference(events), deadline)
            events.update(more)
            if time.time() > deadline:
                break
            if len(events) < len(wanted):
                time.sleep(PAUSE_S)
        reasons = dict((host, difference(event, events.get(event["event_id"]))) for host, event in expected.items())
        missing = dict((host, reason) for host, reason in reasons.items() if reason is not None)
        result.update(changed=False, missing={} if problem else missing, problem=problem)
        return result
