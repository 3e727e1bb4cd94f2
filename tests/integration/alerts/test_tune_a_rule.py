"""docs/how-to/tune-a-rule.md: its commands print what it says, on the real recording."""

from __future__ import annotations

import json
import re
import shlex
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from techtrack.cli import main
from techtrack.demo.recordings import DATA
from tests import factories

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "tune-a-rule.md"
# Where the page finds it in a clone.
FILE = "techtrack/demo/data/ims_bearing_set2.csv.gz"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FAILED = datetime(2004, 2, 19, 6, 22, 39, tzinfo=UTC)


def blocks(text: str) -> list[tuple[str, str]]:
    """Return language and text of each block of the page."""
    return BLOCK.findall(text)


def run(command: str) -> str:
    """Run a command of the page; return what it printed."""
    found = CliRunner().invoke(main, shlex.split(command)[1:], catch_exceptions=False)
    assert found.exit_code == 0, found.output
    return "\n".join(line.rstrip() for line in found.output.strip().splitlines())


@pytest.fixture
def place(tmp_path, monkeypatch, db):
    """A folder with the recording and the files of the page, and the bearing."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / FILE).parent.mkdir(parents=True)
    (tmp_path / FILE).symlink_to(DATA / Path(FILE).name)
    for language, text in blocks(PAGE.read_text(encoding="utf-8")):
        if language == "yaml":
            (tmp_path / text.split()[1]).write_text(text, encoding="utf-8")
    factories.make_equipment("Bearing 1", key="bearing-1")
    return tmp_path


class TestPage:
    @pytest.mark.django_db(transaction=True)
    def test_shows_what_its_commands_print(self, place):
        told = blocks(PAGE.read_text(encoding="utf-8"))
        commands = [
            (text, told[number + 1][1]) for number, (language, text) in enumerate(told[:-1]) if language == "sh"
        ]
        assert len(commands) == 4
        run(commands[0][0])

        for command, shown in commands[1:]:
            assert run(command) == shown.strip(), command
            assert max(len(line) for line in shown.splitlines() if "Advice" not in line and "{" not in line) <= 80

    @pytest.mark.django_db(transaction=True)
    def test_rule_that_learnt_warns_in_time_and_never_early(self, place):
        run(blocks(PAGE.read_text(encoding="utf-8"))[0][1])
        said = "--rule deviation.yaml --asset bearing-1 --from 2004-02-12 --to 2004-02-19T06:23 --json"

        told = json.loads(run(f".venv/bin/techtrack rules preview {said}"))

        raised = [datetime.fromisoformat(one["raised_at"]) for one in told["assets"][0]["episodes"]]
        assert FAILED - raised[0] >= timedelta(hours=60)
        assert all(one >= datetime(2004, 2, 15, 10, 32, 39, tzinfo=UTC) for one in raised)
