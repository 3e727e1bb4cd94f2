"""Sixteen workers in four processes want the same: one wins, nothing is lost or doubled, nobody meets a 5xx."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.campaigns.register import faults_of_register
from tests.campaigns.scale import scale
from tests.plugins.platform import ROOT, _clean_environment, database_url

pytestmark = pytest.mark.xdist_group("campaigns")
# So many rounds that CI takes seconds; TECHTRACK_CAMPAIGN=10 makes 10,000 operations of the largest.
ROUNDS = {
    "counting": 20,
    "claiming": 20,
    "registering": 4,
    "repeating": 20,
    "demoting": 6,
    "crosswise": 12,
    "deleting": 12,
    "mingling": 6,
}
BUGS = {
    "counting": "versions_are_compared_before_they_are_written",
    "claiming": "alerts_are_looked_at_before_they_are_taken",
    "repeating": "keys_are_looked_up_and_then_kept",
    "demoting": "administrators_are_not_counted",
    "crosswise": "bulk_writes_commit_as_they_go",
    "mingling": "sites_are_moved_unlooked",
}


@pytest.fixture
def race(tmp_path: Path, worker_id: str):
    def run(name: str, rounds: int, *bugs: str) -> tuple[int, str]:
        home = tmp_path / f"{name}-{len(list(tmp_path.iterdir()))}"
        home.mkdir()
        env = _clean_environment() | {
            "TECHTRACK_HOME": str(home),
            "DATABASE_URL": database_url(home, f"techtrack_race_{worker_id}"),
            "TECHTRACK_JUDGE_WAIT": "0",
            "PYTHON_DOTENV_DISABLED": "1",
        }
        planted = [word for bug in bugs for word in ("--plant", bug)]
        command = [sys.executable, "-m", "tests.campaigns.racing", name, "--rounds", str(rounds), *planted]
        done = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    return run


@pytest.mark.parametrize("name", ROUNDS)
def test_many_who_want_the_same_leave_it_whole(race, name):
    code, said = race(name, ROUNDS[name] * scale())
    print(said)
    assert code == 0, said[-4000:]


@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_caught(race, name):
    # A race need not be lost at once.
    for times in (1, 2, 4):
        code, said = race(name, ROUNDS[name] * times, BUGS[name])
        assert "Traceback" not in said, said[-4000:]
        if code:
            return
    pytest.fail(f"{BUGS[name]} was not caught")


@dataclass
class Op:
    sent: float
    came: float
    body: dict
    note: int | None = None
    status: int = 200


class TestRegister:
    def test_of_requests_that_overlap_may_have_been_in_any_order(self):
        history = [Op(0, 2, {"version": 2}, note=1), Op(1, 3, {"version": 1}), Op(1, 3, {"version": 2})]
        assert list(faults_of_register(history)) == []

    @pytest.mark.parametrize(
        ("history", "said"),
        [
            pytest.param([Op(0, 1, {"version": 2}, 1), Op(2, 3, {"version": 1})], "was answered after", id="old read"),
            pytest.param([Op(0, 9, {"version": 2}, 1), Op(1, 8, {"version": 2}, 1)], "2 writers", id="lost update"),
            pytest.param([Op(0, 1, {"version": 4}, 2)], "a write on version 2", id="write past another"),
        ],
    )
    def test_that_no_single_thing_could_answer_is_refused(self, history, said):
        assert any(said in fault for fault in faults_of_register(history))
