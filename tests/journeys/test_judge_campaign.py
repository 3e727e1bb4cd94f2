"""Killing those who judge and those who send, again and again: the alerts are those of an independent replay."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.campaigns.nursery import Nursed
from tests.campaigns.scale import new_seed, scale
from tests.plugins.platform import ROOT, _clean_environment, database_url

pytestmark = pytest.mark.xdist_group("campaigns")
KILLS = 40
MANY_KILLS = 500


def campaign(folder: Path, name: str, *, kills: int, bugs: tuple[str, ...] = ()) -> list[str]:
    """Let two feeders and two workers run and kill any of them; return what is not as the oracle says."""
    seed = new_seed()
    dice = random.Random(seed)
    env = _clean_environment() | {
        "TECHTRACK_HOME": str(folder),
        "DATABASE_URL": database_url(folder, name),
        "PYTHON_DOTENV_DISABLED": "1",
    }
    judged("begin", seed, env)
    with ExitStack() as stack:
        log = folder / "log"
        roles = [("feed", str(seed)), ("feed", str(seed + 1)), ("judge",), ("judge",)]
        planted = [bugs if role[0] == "judge" else () for role in roles]
        nursed = [
            stack.enter_context(Nursed(*role, env=env, log=log, bugs=bug))
            for role, bug in zip(roles, planted, strict=True)
        ]
        for one in nursed:
            one.start()
        for _ in range(kills):
            time.sleep(dice.uniform(0.2, 1.6))
            # Workers are what is asked about.
            victim = dice.choice([*nursed, *nursed[2:]])
            victim.kill()
            time.sleep(dice.choice([0, 0, 0.3]))
            victim.start()
        time.sleep(1.0)
        for one in nursed:
            one.kill()
    return judged("finish", seed, env)


def judged(step: str, seed: int, env: dict[str, str]) -> list[str]:
    """Run what is before or after it; return what it found wrong."""
    command = [sys.executable, "-m", "tests.campaigns.judged", step, str(seed)]
    done = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, check=False, timeout=600)
    print(done.stdout[-6000:], done.stderr[-6000:])
    assert done.returncode in {0, 3}
    assert done.returncode or not done.stderr, done.stderr[-6000:]
    return [done.stdout + done.stderr] if done.returncode else []


@pytest.mark.slow
class TestKillingTheJudge:
    def test_loses_and_doubles_nothing(self, tmp_path, worker_id):
        assert campaign(tmp_path, f"techtrack_judge_{worker_id}", kills=KILLS) == []

    @pytest.mark.skipif(scale() < 10, reason="takes ten minutes: TECHTRACK_CAMPAIGN=10")
    def test_loses_and_doubles_nothing_however_often(self, tmp_path, worker_id):
        kills = MANY_KILLS * scale() // 10
        assert campaign(tmp_path, f"techtrack_judge_{worker_id}", kills=kills) == []

    @pytest.mark.parametrize("bug", ["the_judge_forgets_its_windows", "findings_are_committed_before_the_cursor"])
    def test_catches_a_judge_where(self, bug, tmp_path, worker_id):
        # On a busy machine little is judged between two kills, and once the bug may have had no occasion.
        folders = [tmp_path / str(turn) for turn in range(5)]
        assert any(caught(bug, folder, f"techtrack_judge_{worker_id}") for folder in folders)


def caught(bug: str, folder: Path, name: str) -> list[str]:
    folder.mkdir()
    return campaign(folder, name, kills=KILLS // 4, bugs=(bug,))
