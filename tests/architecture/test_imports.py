"""Who imports whom: the contracts of pyproject.toml hold, and each catches an import that is planted."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.house import PACKAGE, ROOT


def broken(folder: Path) -> set[str]:
    """Run import-linter in ``folder``; return what it says about each contract that is broken."""
    program = "import sys; sys.path.insert(0, '.'); from importlinter.cli import lint_imports_command as run; run()"
    command = [sys.executable, "-c", program, "--no-cache", "--no-logo"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    told = " ".join(done.stdout.split())
    assert "Contracts:" in told, done.stdout + done.stderr
    verdicts = told.partition("Contracts:")[0]
    return {name for name, sentence in CONTRACTS.items() if f"{sentence} BROKEN" in verdicts}


CONTRACTS = {
    "ladder": "An app imports only from rungs below it",
    "rooms": "models > events > domain",
    "api": "An app's api is imported by config alone",
    "pure": "domain, codecs and airquality know no framework, and read no table",
    "cycles": "No package of the house has a cycle inside",
}
PLANTED = [
    pytest.param("core/clock.py", "import techtrack.accounts.models", "ladder", id="the kernel imports an app"),
    pytest.param("tasks/services/tasks.py", "import techtrack.integrations.services", "ladder", id="a sibling"),
    pytest.param(
        "telemetry/queries/log.py",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import techtrack.alerts.models",
        "ladder",
        id="upwards, hidden by TYPE_CHECKING",
    ),
    pytest.param("tasks/models/tasks.py", "import techtrack.tasks.services", "rooms", id="models import services"),
    pytest.param(
        "tasks/queries/told.py", "def f():\n    import techtrack.tasks.api.urls", "rooms", id="inside a function"
    ),
    pytest.param("web/queries.py", "import techtrack.tasks.api.tasks", "api", id="another app's api"),
    pytest.param("alerts/domain/lifecycle.py", "import django.db", "pure", id="a framework in domain"),
    pytest.param("alerts/domain/lifecycle.py", "import techtrack.core.models", "pure", id="a framework by a detour"),
    pytest.param("airquality/units.py", "import django.db", "pure", id="a framework in the library of air quality"),
    pytest.param("core/errors.py", "import techtrack.core.registry", "cycles", id="a cycle in the kernel"),
]


def test_the_contracts_hold():
    assert broken(ROOT) == set()


@pytest.mark.parametrize(("path", "line", "contract"), PLANTED)
def test_a_planted_import_is_caught(tmp_path, path, line, contract):
    shutil.copytree(PACKAGE, tmp_path / "techtrack", ignore=shutil.ignore_patterns("static", "data", "__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    file = tmp_path / "techtrack" / path
    file.write_text(f"{file.read_text(encoding='utf-8')}\n{line}\n", encoding="utf-8")
    assert contract in broken(tmp_path)
