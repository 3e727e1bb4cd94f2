"""The page on rules as files: its file is the one beside it, and its sessions print what it shows."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from techtrack import cli

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "how-to"
PAGE = (FOLDER / "rules-as-files.md").read_text(encoding="utf-8")
FILES = re.findall(r"<!-- file (\S+) -->\n```yaml\n(.*?)```", PAGE, re.DOTALL)
SESSION = "".join(re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL))
STEP = re.compile(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)


def printed(command):
    """What a command of a session prints."""
    if command.startswith(".venv/bin/techtrack "):
        done = CliRunner().invoke(cli.main, command.split()[1:])
        assert isinstance(done.exception, SystemExit | None), done.exception
        return done.output
    return subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=True).stdout


class TestPage:
    @pytest.mark.parametrize(("path", "text"), FILES, ids=[path for path, _ in FILES])
    def test_shows_the_file(self, path, text):
        assert (FOLDER / path).read_text(encoding="utf-8") == text

    @pytest.mark.usefixtures("robot")
    def test_shows_what_is_printed(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        for path, text in FILES:
            # As in a clone.
            place = tmp_path / "docs" / "how-to" / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text, encoding="utf-8")
        steps = STEP.findall(SESSION)
        assert len(steps) > 8
        assert [(command, printed(command)) for command, _ in steps] == steps
