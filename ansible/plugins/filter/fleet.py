# MIT License (see LICENSE)
"""One row for each host of the fleet, those that differ from the most first."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

COLUMNS = ["host", "state", "version", "kernel", "source", "module", "events_s", "lost", "spool_bytes", "config_hash", "differs"]
# The configuration hash is each host's own as soon as a host has a layer of its own.
COMPARED = ["state", "version", "kernel", "source"]


def row_of(host, facts):
    row = dict.fromkeys(COLUMNS, "")
    row["host"] = host
    if not facts:
        return dict(row, state="unreachable")
    running = facts["running"]
    state = facts["unit"]["ActiveState"] if facts["unit"]["LoadState"] != "not-found" else "not installed"
    row.update(state=state, version=facts["package"]["version"] or "", kernel=facts["kernel"])
    row["module"] = module_of(facts["module"])
    if not running:
        return dict(row, state=state if state != "active" else "silent")
    ledger = running["ledger"]
    lost = sorted((reason, count) for reason, count in ledger["lost"].items() if count)
    row.update(
        version=running["version"],
        source=running["source"]["kind"],
        events_s=round(ledger["emitted"] / float(max(1, running["uptime_s"])), 1),
        lost=" ".join("%s=%d" % pair for pair in lost) or "0",
        spool_bytes=running["spool"]["bytes"],
        config_hash=running["host_status"]["config_hash"],
    )
    return row


def module_of(facts):
    """Where there is a module now, and a newer kernel without one, that is said too."""
    state = "loaded" if facts["loaded"] else "installed" if facts["installed"] else "none"
    missing = facts["missing_for"] if state != "none" else []
    return state + "".join(", none for %s" % kernel for kernel in missing)


def fleet_rows(facts_by_host):
    """Rows by COLUMNS; ``differs`` names the columns in which a host is not like most others."""
    rows = [row_of(host, facts) for host, facts in sorted(facts_by_host.items())]
    for column in COMPARED:
        values = [row[column] for row in rows]
        common = max(sorted(set(values)), key=values.count) if values else ""
        for row in rows:
            if row[column] != common:
                row["differs"] = (row["differs"] + " " + column).strip()
    for row in rows:
        if row["lost"] not in ("", "0"):
            row["differs"] = (row["differs"] + " lost").strip()
        if "none for" in row["module"]:
            row["differs"] = (row["differs"] + " module").strip()
    return sorted(rows, key=lambda row: (row["differs"] == "", row["host"]))


def fleet_table(rows):
    """The rows as lines of text."""
    cells = [COLUMNS] + [[str(row[column]) for column in COLUMNS] for row in rows]
    widths = [max(len(line[index]) for line in cells) for index in range(len(COLUMNS))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in cells]


def fleet_csv(rows):
    """The rows as CSV (RFC 4180)."""
    lines = [COLUMNS] + [[str(row[column]) for column in COLUMNS] for row in rows]
    quoted = [['"%s"' % cell.replace('"', '""') for cell in line] for line in lines]
    return "".join(",".join(line) + "\r\n" for line in quoted)


class FilterModule(object):
    def filters(self):
        return {"fleet_rows": fleet_rows, "fleet_table": fleet_table, "fleet_csv": fleet_csv}
