"""Lists at the end of the run, by name, what tests needed and did not find on this machine, and every other skip."""

from __future__ import annotations

from collections import Counter
from typing import Any


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Write the list; the reasons come from tests.servers.missing, from xdist's workers too."""
    skipped = Counter(_reason(report) for report in terminalreporter.stats.get("skipped", []))
    if not skipped:
        return
    terminalreporter.section("not tested", yellow=True)
    for reason, times in sorted(skipped.items()):
        terminalreporter.write_line(f"{reason}: {times} test{'s' if times > 1 else ''} not run")


def _reason(report: Any) -> str:
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return text.partition("Skipped: ")[2] or text
