"""Writes docs/reference/availability.md: what each fault cost in a drill, and what was kept."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from pathlib import Path

from benchmarks import report
from benchmarks.drill.run import CLIENTS, Drill, Row
from benchmarks.drill.verdict import Verdict
from benchmarks.processes import package_version

PAGE = report.ROOT / "docs" / "reference" / "availability.md"
HEAD = ("what happens", "back after", "longest gap", "last failure", "503", "of them, database", "broken", "retried")
HEAD += ("failed after one retry", "screens away")
TEXT = """# Availability

Written by `make drill`; nothing here is edited by hand. The set-up of [compose.yaml](../../deploy/compose.yaml),
nginx, two web and two ASGI nodes, a worker, PostgreSQL and Redis, runs as local processes with the commands of the
image and the proxy's own configuration (less TLS). {clients} Meanwhile its parts are killed, frozen, stopped and
restarted, one after the other, each when all was served again after the one before it; what is killed is started
again at once, as Docker does.

**What was kept.** {kept}

**What it cost.**{table}
*Back after*: until what was struck answers again (processes start here on {cores} cores that serve at the same time).
*Longest gap*: the longest time without a good answer at one of four doors (readings, writes, what people read back,
history); the time between two requests is part of it. *Last failure*: how long after the beginning the last request
failed. *503*: answers 503, all with `Retry-After`. *Broken*: connections that broke. *Retried*: requests that had to
be sent again, once, after `Retry-After` or else after a second. *Screens away*: how long the live socket of a client
of [clients/python](../../clients/python/techtrack_live.py) was down until it had heard all that it had missed.

**What is promised, and what is not.** Whatever single process dies, freezes (Redis) or is restarted: nothing that was
acknowledged is lost, nothing is there twice, and a request that fails succeeds when it is sent once more. Of server
errors only 503 is ever answered, with `Retry-After`, as problem+json under `/api/`. PostgreSQL is the one part that
there is one of: while it is away, all that needs it is answered 503, however often it is asked. Those answers are
counted in a column of their own; a request that met them was put to the test again once PostgreSQL took connections,
and then had one retry like any other. Writes carried an `Idempotency-Key`; where a node dies in the middle of one
that does, the proxy itself repeats it at the other node, as it does with readings and reads.

The drill does not freeze nodes (the proxy waits for an answer until its time is up), cut the network or fail over to
another PostgreSQL: there is one.

{facts}
"""


def as_text(verdict: Verdict) -> str:
    """Say the verdict for a console."""
    return "\n".join([kept(verdict), *(f"NOT KEPT: {fault}" for fault in verdict.faults)])


def kept(verdict: Verdict) -> str:
    """Say what there is of what was promised."""
    return (
        f"{verdict.readings:,} readings were acknowledged: {verdict.lost} are lost, {verdict.doubled} are there twice. "
        f"{verdict.rows:,} machines that people made are there as they were left, {verdict.deleted:,} deleted ones are "
        f"gone. An alert was raised {verdict.alerts:,} times, as often as its condition came true, and the screens "
        f"were told all {verdict.frames:,} frames of it, in order and once."
        if not verdict.faults
        else f"{verdict.readings:,} readings were acknowledged: {verdict.lost} lost, {verdict.doubled} there twice."
    )


def write(drill: Drill, verdict: Verdict, seconds: float) -> Path:
    """Write the page."""
    about = report.about(seconds, quick=False)
    facts = (
        f"Measured {about['date']} in {about['seconds']} s at commit {about['commit']} on {about['machine']}; "
        f"{versions()}. The command: `make drill`."
    )
    cores = report.machine().split(" cores")[0].rpartition(" ")[2]
    text = TEXT.format(clients=CLIENTS, kept=kept(verdict), table=table(drill.rows), facts=facts, cores=cores)
    PAGE.write_text(text, encoding="utf-8")
    return PAGE


def versions() -> str:
    """Name the versions of what was drilled."""
    packages = {"PostgreSQL": "postgresql-15", "nginx": "nginx", "Redis": "redis-server"}
    return ", ".join(
        [
            f"Python {platform.python_version()}",
            *(f"{name} {package_version(package)}" for name, package in packages.items()),
        ]
    )


def table(rows: Sequence[Row]) -> str:
    """Write the table; what happened several times is one line: the worst of each time, the sum of each count."""
    names = dict.fromkeys(row.name for row in rows)
    lines = [_line(name, [row for row in rows if row.name == name]) for name in names]
    head = ["", "", f"| {' | '.join(HEAD)} |", f"|{'|'.join(['---', *['--:'] * (len(HEAD) - 1)])}|"]
    return "\n".join([*head, *(f"| {' | '.join(line)} |" for line in lines), ""])


def _line(name: str, rows: Sequence[Row]) -> list[str]:
    counts = [row.count for row in rows]
    return [
        name if len(rows) == 1 else f"{name}, {len(rows)} times",
        f"{max(row.back for row in rows):.1f} s",
        f"{max(count.gap for count in counts):.1f} s",
        "none" if not any(count.troubled for count in counts) else f"{max(count.troubled for count in counts):.1f} s",
        *(
            f"{sum(getattr(count, what) for count in counts)}"
            for what in ("refused", "outage", "broken", "retried", "failed")
        ),
        f"{max(row.screens for row in rows):.1f} s",
    ]
