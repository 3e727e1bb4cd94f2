"""The load generators as they are typed: what was accepted is what is stored, and bad orders are one sentence."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.plugins.platform import ROOT, Platform

TABLE = "time,temperature\n" + "".join(f"2020-01-01T00:0{minute}:00Z,{20 + minute}.5\n" for minute in range(3))


def run(platform: Platform, *arguments: str, **settings: str) -> tuple[int, str]:
    """Run ``techtrack`` beside the running platform, in its folder; return exit code and what it said."""
    env = platform.env | {"PORT": str(platform.port), "COLUMNS": "200", **settings}
    command = [sys.executable, "-m", "techtrack.cli", *arguments]
    done = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def told(said: str, word: str) -> int:
    """The number that it gave for ``word``."""
    found = re.search(rf"{word} ([\d,]+)", said) or re.search(rf"([\d,]+) {word}", said)
    assert found, said
    return int(found[1].replace(",", ""))


def stored(platform: Platform, *keys: str) -> int:
    """How many readings the platform has of the assets."""
    count = 0
    url = f"/api/data/?equipment={','.join(keys)}&from=2000-01-01T00:00:00Z&page_size=500"
    while url:
        page = platform.call("GET", url).json()
        count += len(page["results"])
        url = (page["next"] or "").removeprefix(platform.url)
    return count


@pytest.fixture(scope="module")
def key(platform: Platform) -> str:
    """A key that may write."""
    body = {"name": "load", "scope": "write"}
    answer = platform.call("POST", "/api/keys/", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["key"])


class TestSimulate:
    def test_what_it_says_was_accepted_is_stored(self, platform):
        keys = [f"sim-{number:04}" for number in range(1, 4)]
        before = stored(platform, *keys)
        size = ["--assets", "3", "--every", "10", "--duration", "3000", "--past", "--batch", "250"]
        code, said = run(platform, "simulate", *size)
        assert code == 0, said
        assert told(said, "sent") == told(said, "accepted") == 900
        assert told(said, "refused") == 0
        assert stored(platform, *keys) - before == 900

    def test_faults_are_found_again_at_the_other_end(self, platform, key):
        faults = ["--duplicate", "0.1", "--bad", "0.05", "--late", "0.1", "--outage", "1:1000@500"]
        keys = [f"sim-{number:04}" for number in range(1, 8)]
        before = stored(platform, *keys)
        size = ["--assets", "7", "--every", "10", "--duration", "3000", "--past", "--seed", "5"]
        code, said = run(platform, "simulate", *size, *faults, "--url", platform.url, "--key", key)
        assert code == 0, said
        assert told(said, "refused") == told(said, "bad") > 0
        assert told(said, "lost in an outage") == 100
        assert told(said, "accepted") + told(said, "refused") == told(said, "sent")
        once = told(said, "accepted") - told(said, "sent twice")
        assert once == 7 * 300 - told(said, "lost in an outage") - told(said, "bad")
        assert stored(platform, *keys) - before == once

    def test_sends_at_its_pace(self, platform):
        code, said = run(platform, "simulate", "--assets", "4", "--rate", "40", "--duration", "1")
        assert code == 0, said
        assert told(said, "accepted") == 40

    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            (["--every", "1", "--rate", "5"], "not both"),
            (["--outage", "99:5"], "There are 10 machines"),
            (["--outage", "nonsense"], "MACHINE:SECONDS"),
            (["--url", "http://127.0.0.1:1"], "belong together"),
            (["--url", "http://127.0.0.1:1", "--key", "x"], "does not answer"),
        ],
    )
    def test_a_mistake_is_one_sentence(self, platform, arguments, sentence):
        code, said = run(platform, "simulate", *arguments)
        assert code == 2
        assert sentence in said
        assert "Traceback" not in said

    def test_an_unknown_key_is_told_as_such(self, platform):
        code, said = run(platform, "simulate", "--url", platform.url, "--key", "tt_nobody_x")
        assert code == 2
        assert "does not take the key" in said


class TestReplay:
    def test_a_file_is_sent_as_if_it_were_measured_now(self, platform, tmp_path: Path):
        file = tmp_path / "readings.csv"
        file.write_text(TABLE)
        platform.call("POST", "/api/equipment/", json={"name": "Replayed", "key": "replayed"})
        before = datetime.now(UTC)
        code, said = run(platform, "replay", str(file), "--asset", "replayed", "--speed", "60")
        assert code == 0, said
        assert told(said, "accepted") == 3
        rows = platform.call("GET", "/api/data/?equipment=replayed").json()["results"]
        assert [row["values"]["temperature"] for row in rows] == [22.5, 21.5, 20.5]
        times = [datetime.fromisoformat(row["timestamp"]) for row in rows]
        assert before - timedelta(seconds=1) <= times[-1]
        assert times[0] - times[-1] == timedelta(seconds=2)

    def test_what_is_stored_is_sent_again_to_another_platform_or_asset(self, platform, key):
        platform.call("POST", "/api/equipment/", json={"name": "Source", "key": "source"})
        platform.call("POST", "/api/equipment/", json={"name": "Copy", "key": "copy"})
        for second in range(3):
            platform.post_reading("source", {"level": second}, f"2026-01-01T00:00:0{second}Z")
        span = ["--from", "2026-01-01T00:00:00Z", "--to", "2026-01-01T00:00:02Z"]
        place = ["--url", platform.url, "--key", key]
        code, said = run(platform, "replay", "--asset", "source", "--into", "copy", "--speed", "10", *span, *place)
        assert code == 0, said
        assert told(said, "accepted") == 2
        rows = platform.call("GET", "/api/data/?equipment=copy").json()["results"]
        assert [row["values"]["level"] for row in rows] == [1, 0]

    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            ([], "Name a file"),
            (["--asset", "nobody"], "There is no asset 'nobody'"),
            (["nowhere.csv", "--asset", "sim-0001"], "cannot be read"),
            (["--asset", "sim-0001", "--from", "soon"], "is no time"),
        ],
    )
    def test_a_mistake_is_one_sentence(self, platform, arguments, sentence):
        code, said = run(platform, "replay", *arguments)
        assert code == 2
        assert sentence in said
        assert "Traceback" not in said
