"""Writers, correctors, compactors and a reader, each a process: nothing is lost, doubled, or missing in between."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from tests.campaigns.crew import Crew
from tests.campaigns.scale import new_seed, scale
from tests.plugins.platform import database_url

# One after the other: each needs the machine for itself more than most tests do.
pytestmark = pytest.mark.xdist_group("campaigns")
SECONDS = 4.0
MEMBERS = {"write": 4, "correct": 2, "compact": 2, "read": 1}


@pytest.fixture
def complaints(tmp_path: Path, worker_id: str):
    """Run the race so long, with bugs planted in roles; return what was found wrong, while it ran and afterwards."""

    def run(seconds: float, **bugs: str) -> list[str]:
        folder = tmp_path / f"crew-{time.monotonic_ns()}"
        folder.mkdir()
        url = database_url(folder, f"techtrack_races_{worker_id}")
        with Crew(folder / "acks", database=url, seed=new_seed()) as crew:
            crew.start(MEMBERS, "--check", bugs=bugs)
            crew.wait_for_acks(3)
            time.sleep(seconds)
            return crew.stop()

    return run


def test_nothing_is_lost_or_doubled_while_two_compact(complaints):
    assert complaints(SECONDS * scale()) == []


@pytest.mark.parametrize(
    ("role", "bug", "said"),
    [
        ("compact", "compactors_do_not_mind_each_other", "are lost|holes or doubles|instead of"),
        ("read", "chunks_are_read_before_the_log", "readings, statistics, readings say"),
        ("correct", "correctors_do_not_queue", "corrections counted to"),
    ],
    ids=["compact", "read", "correct"],
)
def test_a_planted_bug_is_caught(complaints, role, bug, said):
    # A race need not be lost at once: longer and longer, on another seed each time.
    found = (complaint for times in (1, 2, 4) for complaint in complaints(SECONDS * times, **{role: bug}))
    assert any(re.search(said, complaint) for complaint in found)
