"""Keeps what was measured, and writes docs/reference/performance.md from all that is kept."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.figures import Result, as_markdown
from benchmarks.processes import package_version

ROOT = Path(__file__).resolve().parents[1]
KEPT = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "reference" / "performance.md"
ORDER = ("ingest", "cadence", "ordinary", "single", "disk", "queries", "growth", "fanout", "alerts")
ORDER += ("dropped", "judging", "outbox", "layouts", "load", "work", "plans", "calendars", "air", "small")
INTRODUCTION = """# Performance

Written by `make bench`; nothing here is edited by hand. Every line is a benchmark that you can run yourself, beside the
same peers on your own machine: `make bench LINES=ingest` for one, `make bench QUICK=1` for a look in under three
minutes, `make bench LINES=growth` for the one that takes long, `make load` for the one with many clients at once.
`benchmarks/` holds what they do.

Figures on other machines differ; ratios between systems measured in one run differ less. A bar that is not met is
written as not met.
"""


def about(seconds: float, *, quick: bool) -> dict[str, Any]:
    """Describe the run: when, for how long, on what, of which commit."""
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "seconds": round(seconds),
        "quick": quick,
        "commit": commit(),
        "machine": machine(),
        "versions": versions(),
    }


def machine() -> str:
    """Describe this machine in a line."""
    cpu = _field(Path("/proc/cpuinfo"), "model name") or platform.processor() or platform.machine()
    memory = int(_field(Path("/proc/meminfo"), "MemTotal").split()[0] or 0) / 2**20
    place = os.statvfs(ROOT)
    disk = place.f_blocks * place.f_frsize / 2**30
    return f"{cpu}, {os.cpu_count()} cores, {memory:.0f} GiB memory, {_file_system()} disk of {disk:.0f} GiB"


def versions() -> str:
    """Name the versions of what was measured."""
    packages = {
        "VictoriaMetrics": "victoria-metrics",
        "InfluxDB": "influxdb",
        "Zabbix": "zabbix-server-pgsql",
        "PostgreSQL": "postgresql-15",
    }
    import sqlite3

    found = [f"Python {platform.python_version()}", f"SQLite {sqlite3.sqlite_version}"]
    found += [f"{name} {package_version(package)}" for name, package in packages.items()]
    return ", ".join(one for one in found if "unknown" not in one)


def commit() -> str:
    """Return the commit that was measured, and whether files had changed since."""

    def git(*words: str) -> str:
        done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S607
        return done.stdout.strip()

    changed = " with changes" if git("status", "--porcelain", "--untracked-files=no") else ""
    return f"{git('rev-parse', '--short', 'HEAD') or 'unknown'}{changed}"


def keep(result: Result) -> None:
    """Keep a result until the same line is measured again."""
    KEPT.mkdir(exist_ok=True)
    (KEPT / f"{result.name}.json").write_text(json.dumps(result.as_json(), indent=1, ensure_ascii=False) + "\n")


def write_page() -> Path:
    """Write the page from all results that are kept."""
    results = {path.stem: Result.of(json.loads(path.read_text())) for path in KEPT.glob("*.json")}
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page(results))
    return PAGE


def page(results: dict[str, Result]) -> str:
    """Return the page as Markdown: all bars first, then line by line."""
    parts = [INTRODUCTION, _summary(results)]
    if forgotten := results.keys() - ORDER:
        raise ValueError(f"ORDER does not say where they stand: {', '.join(sorted(forgotten))}")
    found = [results[name] for name in ORDER if name in results]
    parts += [f"{as_markdown(result)}\n{_circumstances(result)}" for result in found]
    return "\n".join(parts)


def _summary(results: dict[str, Result]) -> str:
    lines = ["## All bars", "", "| Line | Bar | Wanted | Figure | |", "|---|---|--:|--:|---|"]
    for name in ORDER:
        if name not in results:
            lines.append(f"| {name} | | | not measured | |")
            continue
        lines += [
            f"| {name} | {bar.what} | {bar.wanted} | {bar.figure} | **{bar.verdict}** |" for bar in results[name].bars
        ]
    return "\n".join(lines) + "\n"


def _circumstances(result: Result) -> str:
    said = result.about
    return f"*{said['date']}, {said['seconds']} s, commit {said['commit']}; {said['machine']}; {said['versions']}.*\n"


def _field(path: Path, name: str) -> str:
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")


def _file_system() -> str:
    best = ("", "unknown")
    for line in Path("/proc/mounts").read_text().splitlines():
        _, where, kind, *_ = line.split()
        if str(ROOT).startswith(where) and len(where) > len(best[0]):
            best = (where, kind)
    return best[1]
