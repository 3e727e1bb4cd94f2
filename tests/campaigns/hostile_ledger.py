"""The table of what each door answers to each hostile input: kept in a file, the same for both databases."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from pathlib import Path
from typing import Any

# TECHTRACK_HOSTILE_RECORD=1 (with -n 0) writes the table anew: look at the diff, each line of it is a decision.
RECORDS = bool(os.environ.get("TECHTRACK_HOSTILE_RECORD"))
FOLDER = Path(__file__).resolve().parents[1] / "golden" / "hostile"

# Door -> place (a field, a parameter, "(body)") -> status -> the inputs that get it. Refusals that every place of
# its sort gives are not written down.
Table = dict[str, dict[str, dict[str, list[str]]]]


class Ledger:
    """What one campaign saw, and what is wrong with it."""

    def __init__(self, name: str, *, usual: int) -> None:
        self._file = FOLDER / f"{name}.json"
        self._kept: Table = json.loads(self._file.read_text("utf-8")) if self._file.exists() else {}
        self._usual = usual
        self._seen: dict[str, dict[str, dict[str, list[str]]]] = defaultdict(
            lambda: defaultdict(lambda: defaultdict(list))
        )
        self._doors: set[str] = set()
        self.wrong: list[str] = []
        self.asked = 0
        # A long campaign asks more than the table knows; there it is the promises alone that count.
        self._compares = not os.environ.get("TECHTRACK_CAMPAIGN")

    def note(self, door: str, place: str, name: str, status: int) -> None:
        """Note one answer; one that no input may get is wrong whatever the table says."""
        self.asked += 1
        self._doors.add(door)
        if status >= 500:
            self.wrong.append(f"{door} {place} <- {name}: {status}")
        if status != self._usual:
            self._seen[door][place][str(status)].append(name)

    def blame(self, door: str, place: str, name: str, why: str) -> None:
        """Say what else is wrong with an answer."""
        self.wrong.append(f"{door} {place} <- {name}: {why}")

    def close(self) -> None:
        """Compare what was seen with the table, door by door; or write it down where that is asked for.

        Raises:
            AssertionError: an answer is wrong, or other than the table says.

        """
        seen: Table = json.loads(json.dumps(self._seen))
        if RECORDS:
            kept = {door: said for door, said in self._kept.items() if door not in self._doors} | seen
            FOLDER.mkdir(parents=True, exist_ok=True)
            self._file.write_text(json.dumps(_sorted(kept), indent=1, ensure_ascii=True) + "\n", "utf-8")
        elif self._compares:
            for door in sorted(self._doors):
                self.wrong += _differences(door, self._kept.get(door, {}), seen.get(door, {}), self._usual)
        assert not self.wrong, f"{len(self.wrong)} wrong of {self.asked}:\n" + "\n".join(self.wrong[:60])


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return sorted(value)


def _cells(said: dict[str, dict[str, list[str]]]) -> dict[tuple[str, str], str]:
    return {(place, name): status for place, by in said.items() for status, names in by.items() for name in names}


def _differences(door: str, kept: Any, seen: Any, usual: int) -> list[str]:
    was, now = _cells(kept), _cells(seen)
    return [
        f"{door} {place} <- {name}: {now.get((place, name), usual)}, and the table says {was.get((place, name), usual)}"
        for place, name in sorted(was.keys() | now.keys())
        if was.get((place, name)) != now.get((place, name))
    ]
