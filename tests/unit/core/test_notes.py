"""Notes of processes: there for the others once their writer is gone, and not before."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from techtrack.core.notes import Notes

WRITER = """
import sys, time
from pathlib import Path
from techtrack.core.notes import Notes
notes = Notes(Path(sys.argv[1]))
notes.add("first")
notes.strike(notes.add("second"))
notes.add("third")
print("written", flush=True)
time.sleep(600)
"""


@pytest.fixture
def notes(tmp_path):
    made = Notes(tmp_path)
    yield made
    made.close()


class TestNotes:
    def test_of_a_process_that_is_killed_are_found_once_it_is_gone(self, tmp_path, notes):
        with subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"written\n"
            assert list(notes.left_behind()) == []
            os.kill(process.pid, signal.SIGKILL)
        assert list(notes.left_behind()) == [["first", "third"]]
        assert list(notes.left_behind()) == []
        assert list(tmp_path.iterdir()) == []

    def test_of_this_process_are_not_left_behind(self, notes):
        notes.add("mine")
        assert list(notes.left_behind()) == []

    def test_stay_where_whoever_found_them_fails(self, tmp_path, notes):
        other = Notes(tmp_path)
        other.add("taken")
        other.close()
        with pytest.raises(RuntimeError):  # noqa: PT012 - what is found is what fails
            for _ in notes.left_behind():
                raise RuntimeError("the database is away")
        assert list(notes.left_behind()) == [["taken"]]

    def test_are_found_by_one_of_several(self, tmp_path, notes):
        for number in range(30):
            other = Notes(tmp_path)
            other.add(f"note-{number}")
            other.close()
        with ThreadPoolExecutor(4) as pool:
            found = [list(one) for one in pool.map(lambda _: Notes(tmp_path).left_behind(), range(4))]
        assert sorted(text for each in found for texts in each for text in texts) == sorted(
            f"note-{number}" for number in range(30)
        )

    def test_take_places_that_are_free(self, notes, tmp_path):
        places = [notes.add(f"{number}") for number in range(3)]
        notes.strike(places[1])
        assert notes.add("again") == places[1]
        [file] = tmp_path.iterdir()
        notes.close()
        assert file.read_text().split() == ["0", "again", "2"]

    def test_in_a_folder_that_cannot_be_are_refused(self, tmp_path):
        (tmp_path / "file").write_text("")
        with pytest.raises(OSError, match="file"):
            Notes(tmp_path / "file").add("lost")
