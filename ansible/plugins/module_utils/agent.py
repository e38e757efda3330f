# MIT License (see LICENSE)
"""What the modules of this collection know of the agent and of its places on a host. For Python 2.7 and newer."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import errno
import fcntl
import json
import os

try:
    from http.client import HTTPConnection, HTTPException
except ImportError:
    from httplib import HTTPConnection, HTTPException

PROGRAM = "/usr/bin/ktc"
UNIT = "ktc-agent.service"
MODULE_UNIT = "ktc-module.service"
HOME = "/opt/ktc-agent"
RELEASES = HOME + "/releases"
CONFIGURATION = "/etc/ktc"
SECRETS = CONFIGURATION + "/secrets"
ANSWER_S = 5
LOCK = "/run/ktc-agent.lock"
# Held by being open.
LOCKS = []


def lock_host():
    """Waits until no other module of this collection changes the host, as of a second controller; until this one ends."""
    LOCKS.append(open(LOCK, "w"))
    fcntl.flock(LOCKS[-1], fcntl.LOCK_EX)


def release_program(version):
    """The program of a release of the tarball."""
    return "%s/%s/bin/ktc" % (RELEASES, version)


def releases():
    """The releases of the tarball on this host, by version; one that is being unpacked, or has no program, is none."""
    names = os.listdir(RELEASES) if os.path.isdir(RELEASES) else []
    return sorted(name for name in names if not name.startswith(".") and os.path.exists(release_program(name)))


def has_headers(kernel):
    """Whether modules can be built for a kernel here."""
    return os.path.exists("/lib/modules/%s/build/Makefile" % kernel)


def run_json(module, command):
    """Runs a command that prints JSON. Gives (document, None), or (None, problem in one line)."""
    code, output, errors = module.run_command(command)
    try:
        return json.loads(output), None
    except ValueError:
        said = errors.strip() or output.strip() or "no output"
        return None, "%s ended with %d: %s" % (" ".join(command), code, said.splitlines()[-1])


def read_text(path):
    """The content of a small file; None where there is no such file."""
    try:
        with open(path) as file:
            return file.read()
    except (IOError, OSError) as error:
        # The last one is of a process that ended after its file was opened.
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ESRCH):
            return None
        raise


def read_link(path):
    """Where a symbolic link points; None where there is none."""
    try:
        return os.readlink(path)
    except OSError:
        return None


def unit_state(module, unit):
    """What systemd says of a unit, by the property's name. LoadState is not-found where there is none."""
    properties = ["LoadState", "UnitFileState", "ActiveState", "SubState", "MainPID", "NeedDaemonReload"]
    code, output, errors = module.run_command(["systemctl", "show", unit, "--property=" + ",".join(properties)])
    if code != 0:
        module.fail_json(msg="systemctl show %s ended with %d: %s" % (unit, code, errors.strip()))
    return dict(line.split("=", 1) for line in output.splitlines() if "=" in line)


def disk_state(module, program=PROGRAM):
    """Version and configuration hash that the agent would have if it were started now.

    `problem` says in one line why it would not start; it is None where it would.
    """
    if not os.path.exists(program):
        return {"version": None, "config_hash": None, "telemetry": None, "problem": "%s is not there" % program}
    code, output, errors = module.run_command([program, "--version"])
    version = output.strip() if code == 0 else None
    if version is None:
        return {"version": None, "config_hash": None, "telemetry": None, "problem": errors.strip()}
    shown, problem = run_json(module, [program, "config", "show", "--json"])
    if shown is None:
        return {"version": version, "config_hash": None, "telemetry": None, "problem": problem}
    http = shown["config"]["telemetry"]["http"]
    host = "[%s]" % http["address"] if ":" in http["address"] else http["address"]
    telemetry = "%s:%d" % (host, http["port"]) if http["enabled"] else None
    return {"version": version, "config_hash": shown["config_hash"], "telemetry": telemetry, "problem": None}


def running_snapshot(module, telemetry, program=PROGRAM):
    """What the running agent says of itself, as `ktc status --json`. Gives (snapshot, None) or (None, problem)."""
    if telemetry is None:
        return None, "telemetry.http.enabled is false, so the agent cannot be asked"
    return run_json(module, [program, "status", "--json", "--address", telemetry])


def unreadiness(snapshot, telemetry):
    """Why a running agent is not well, each reason in one line, those of sinks with `sink ` first; empty when it is well."""
    reasons = readiness_reasons(telemetry)
    if snapshot["spool"]["problem"] is not None:
        reasons.append("the disk takes no events: %s" % snapshot["spool"]["problem"])
    return reasons + ["the account does not balance: %s" % line for line in snapshot["imbalances"]]


def readiness_reasons(telemetry):
    """What /readyz says against it."""
    connection = HTTPConnection(telemetry, timeout=ANSWER_S)
    try:
        connection.request("GET", "/readyz")
        return json.loads(connection.getresponse().read().decode("utf-8"))["reasons"]
    except (IOError, OSError, HTTPException, ValueError, LookupError) as error:
        return ["no answer from http://%s/readyz: %s" % (telemetry, error)]
    finally:
        connection.close()


def start_ticks(pid):
    """When a process was started, in ticks since the boot; None where it is gone, or there is no /proc."""
    stat = read_text("/proc/%d/stat" % pid)
    # Field 22 (proc(5)); the name before it may contain spaces.
    return None if stat is None else int(stat.rpartition(") ")[2].split()[19])


def process_start(pid):
    """When a process was started, in seconds since 1970; 0 where it is gone."""
    ticks = start_ticks(pid)
    boot = [line.split()[1] for line in read_text("/proc/stat").splitlines() if line.startswith("btime ")]
    if ticks is None or not boot:
        return 0
    return int(boot[0]) + ticks / os.sysconf("SC_CLK_TCK")
