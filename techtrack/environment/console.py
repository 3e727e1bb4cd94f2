"""Quality control at a terminal: for what was imported while nothing ran."""

from __future__ import annotations

from rich.console import Console

from techtrack.environment.jobs import QualityControl

OK = 0


def check_air() -> int:
    """Test all readings that have not been tested yet, and mark what is doubtful; a running platform does so itself."""
    control = QualityControl()
    while control.work():
        pass
    control.finish()
    Console(highlight=False).print(f"Tested. Stretches marked: {control.marked}")
    return OK
