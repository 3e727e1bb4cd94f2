"""Gives tests that wait for whole processes a second try, and names at the end who needed it.

They go by the wall clock, and a machine may stand still for as long as they wait. What looks for losses and races has
one try: what it finds once is found. With TECHTRACK_ONE_TRY=1 nobody has a second.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

BY_THE_CLOCK = {"browser", "contract", "journeys"}
FINDERS = ("campaign", "race", "power_cut", "revocation", "store", "schemathesis", "hostile")


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Mark them; pytest-rerunfailures does the rest."""
    if os.environ.get("TECHTRACK_ONE_TRY") == "1":
        return
    for item in items:
        if _by_the_clock(item.path):
            item.add_marker(pytest.mark.flaky(reruns=1))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Write the list: each is a question to whoever reads it."""
    again = terminalreporter.stats.get("rerun", [])
    if not again:
        return
    terminalreporter.section("tried again", yellow=True)
    for report in again:
        terminalreporter.write_line(f"AGAIN {report.nodeid}: {_last_line(report)}")


def _by_the_clock(path: Path) -> bool:
    return bool(BY_THE_CLOCK & set(path.parts)) and not any(word in path.name for word in FINDERS)


def _last_line(report: Any) -> str:
    crash = getattr(report.longrepr, "reprcrash", None)
    return (crash.message if crash else str(report.longrepr)).strip().splitlines()[0]
