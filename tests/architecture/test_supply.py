"""What a release is made of, and what weaknesses its code may not have: `make sbom` and the bandit of `make lint`."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.architecture.house import ROOT

BIN = Path(sys.executable).parent
LOCK = ROOT / "requirements" / "all.txt"
NOSEC = re.compile(r".*# ?nosec\b.*")
# The reason stands before, where ruff has it too; bandit takes every word behind for the name of a check.
REASONED = re.compile(r".* - \w.*# nosec B\d{3}(, B\d{3})*")


def made(target: Path) -> bytes:
    """A bill of materials, as `make sbom` writes it."""
    recipe = (ROOT / "Makefile").read_text("utf-8").partition("\nsbom:")[2].partition("\n\n")[0]
    options = [word for word in recipe.replace("\\\n", " ").split() if word.startswith("--output-")]
    assert "--output-reproducible" in options
    command = [BIN / "cyclonedx-py", "requirements", "--pyproject", "pyproject.toml", "--output-reproducible"]
    command += ["--output-format", "JSON", "--output-file", target, LOCK]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return target.read_bytes()


class TestBillOfMaterials:
    def test_names_everything_that_is_locked_and_is_the_same_each_time(self, tmp_path):
        first = made(tmp_path / "a.json")
        document = json.loads(first)
        locked = re.findall(r"^([A-Za-z0-9._-]+)==", LOCK.read_text("utf-8"), re.MULTILINE)
        listed = {component["name"].lower() for component in document["components"]}
        assert {name.lower() for name in locked} <= listed
        assert document["metadata"]["component"]["name"] == "techtrack"
        assert all(component["purl"].startswith("pkg:pypi/") for component in document["components"])
        assert first == made(tmp_path / "b.json")


class TestWeaknesses:
    def look(self, *where: str | Path) -> subprocess.CompletedProcess[str]:
        recipe = (ROOT / "Makefile").read_text("utf-8")
        words = next(line.split() for line in recipe.splitlines() if "/bandit" in line)
        command = [BIN / "bandit", *words[1:-1], *where]
        return subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)

    @pytest.mark.parametrize(
        "planted",
        ["import subprocess\nsubprocess.call('ls ' + input(), shell=True)\n", "import pickle\npickle.loads(b'')\n"],
        ids=["a shell", "a pickle"],
    )
    def test_a_planted_one_is_caught(self, tmp_path, planted):
        (tmp_path / "planted.py").write_text(planted)
        assert self.look(tmp_path).returncode == 1

    def test_each_exception_has_its_reason(self):
        found = [
            f"{path.relative_to(ROOT)}: {match[0]}"
            for path in (ROOT / "techtrack").rglob("*.py")
            for match in NOSEC.finditer(path.read_text("utf-8"))
            if not REASONED.fullmatch(match[0])
        ]
        assert found == []
        text = (ROOT / "pyproject.toml").read_text("utf-8")
        assert tomllib.loads(text)["tool"]["bandit"]["skips"] == ["B608"]
        assert "S608" in text


class TestRandomness:
    # Request ids, the choice of when to try again, made-up faults of the demo plant: nothing of that is a secret.
    MAY_GUESS = {"core/http.py", "notifications/jobs.py", "live/bus.py", "demo/generators/faults.py"}

    def test_of_secrets_is_the_systems(self):
        files = (ROOT / "techtrack").rglob("*.py")
        guess = {
            str(path.relative_to(ROOT / "techtrack"))
            for path in files
            if re.search(r"^\s*(import random|from random)\b", path.read_text("utf-8"), re.MULTILINE)
        }
        assert guess <= self.MAY_GUESS
