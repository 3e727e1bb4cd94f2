"""Runs works at the same moment."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

from django.db import connection

from techtrack.core.errors import TechTrackError


def race(*works: Callable[[], Any]) -> list[Any]:
    """Run the works at the same moment, each in a thread; return their results or errors."""
    start = Barrier(len(works))

    def run(work: Callable[[], Any]) -> Any:
        start.wait()
        try:
            return work()
        except TechTrackError as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


def losers(results: list[Any]) -> list[TechTrackError]:
    """Those of the results that are errors."""
    return [result for result in results if isinstance(result, TechTrackError)]
