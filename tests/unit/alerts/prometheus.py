"""Rules of a threshold and a delay as Prometheus judges them: asked of promtool, or remembered of the last time.

``python -m tests.unit.alerts.prometheus`` asks it anew and writes the golden file.
"""

from __future__ import annotations

import json
import random
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from techtrack.alerts.domain.backtest import Past, Series, episodes, replay
from techtrack.alerts.domain.condition import Circumstances
from techtrack.alerts.domain.rule import parse_rule

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "alerts" / "promtool.jsonl"
# Seconds between two samples, and between two evaluations.
STEP = 10
# Prometheus looks back five minutes for a sample: what is silent for less stays as it was.
LONGEST_SILENCE = 28
SECOND = 1_000_000
EXPRESSIONS = {
    "above": "t{{case='{case}'}} > {limit}",
    "below": "t{{case='{case}'}} < {limit}",
    "outside": "t{{case='{case}'}} < {low} or t{{case='{case}'}} > {high}",
    "inside": "t{{case='{case}'}} >= {low} and t{{case='{case}'}} <= {high}",
}
_FAILED = re.compile(r"alertname: case(\d+), time: (\S+),")
_PART = re.compile(r"(\d+)([hms])")
_UNITS = {"h": 3600, "m": 60, "s": 1}


class Asked(NamedTuple):
    """A condition, how long (s) it must hold, and what is measured every ``STEP`` s; None is silence."""

    condition: dict[str, Any]
    delay: int
    values: list[float | None]


def installed() -> str | None:
    """Return where promtool is, None where it is not."""
    return shutil.which("promtool")


def theirs(asked: Sequence[Asked]) -> list[list[int]]:
    """Return the evaluations (s after the start) at which promtool says that each fires."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "rules.yml").write_text(json.dumps({"groups": [_group(asked)]}), encoding="utf-8")
        Path(folder, "tests.yml").write_text(json.dumps(_tests(asked)), encoding="utf-8")
        command = [installed() or "promtool", "test", "rules", "tests.yml"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)
    said = done.stdout + done.stderr
    # Nothing is expected to fire, so what fires is what fails.
    firing: list[list[int]] = [[] for _ in asked]
    for case, time in _FAILED.findall(said):
        firing[int(case)].append(sum(int(number) * _UNITS[unit] for number, unit in _PART.findall(time)))
    if not any(firing) and "SUCCESS" not in said:
        raise AssertionError(said)
    return [sorted(times) for times in firing]


def ours(asked: Asked) -> list[int]:
    """Return the evaluations (s after the start) at which an alert of the rule is active."""
    definition = {"parameter": "t", "conditions": [asked.condition], "on_delay": timedelta(seconds=asked.delay)}
    watch = parse_rule(definition).watch(Circumstances())
    at = np.array([place for place, value in enumerate(asked.values) if value is not None], np.int64)
    values = np.array([value for value in asked.values if value is not None], np.float64)
    until = (len(asked.values) - 1) * STEP * SECOND
    found = episodes(replay(watch, Past({"t": Series(at * STEP * SECOND, values)}, until)), watch)
    grid = range(0, len(asked.values) * STEP, STEP)
    return [time for time in grid if any(_covers(one.raised, one.returned, time * SECOND) for one in found)]


def _covers(raised: int, returned: int | None, at: int) -> bool:
    return raised <= at and (returned is None or at < returned)


def generated(seed: int, number: int) -> Iterator[Asked]:
    """Make cases: walks around the limits that rest, jump and fall silent."""
    dice = random.Random(seed)
    for _ in range(number):
        condition = {
            "above": {"limit": dice.choice([2, 3])},
            "below": {"limit": dice.choice([2, 3])},
            "outside": {"low": 2, "high": dice.choice([3, 4])},
            "inside": {"low": 2, "high": dice.choice([3, 4])},
        }
        kind = dice.choice(list(condition))
        values: list[float | None] = []
        while len(values) < 50:
            part: list[float | None] = [dice.choice([0, 1, 2, 2.5, 3, 4, 5])]
            part = [None] * dice.randint(1, LONGEST_SILENCE) if dice.random() < 0.1 else part * dice.randint(1, 6)
            # Two silences in a row would be too long.
            values += part if part[0] is not None or not values or values[-1] is not None else []
        yield Asked({"kind": kind, **condition[kind]}, dice.choice([0, 0, 5, 10, 15, 30, 60, 120]), values)


def _group(asked: Sequence[Asked]) -> dict[str, Any]:
    rules = [
        {
            "alert": f"case{number}",
            "expr": EXPRESSIONS[one.condition["kind"]].format(case=number, **one.condition),
            "for": f"{one.delay}s",
        }
        for number, one in enumerate(asked)
    ]
    return {"name": "all", "interval": f"{STEP}s", "rules": rules}


def _tests(asked: Sequence[Asked]) -> dict[str, Any]:
    series = [
        {
            "series": f"t{{case='{number}'}}",
            "values": " ".join("_" if value is None else str(value) for value in one.values),
        }
        for number, one in enumerate(asked)
    ]
    wanted = [
        {"eval_time": f"{place * STEP}s", "alertname": f"case{number}", "exp_alerts": []}
        for number, one in enumerate(asked)
        for place in range(len(one.values))
    ]
    test = {"interval": f"{STEP}s", "input_series": series, "alert_rule_test": wanted}
    return {"rule_files": ["rules.yml"], "evaluation_interval": f"{STEP}s", "tests": [test]}


def remembered() -> list[tuple[Asked, list[int]]]:
    """Return the cases of the golden file, and when promtool said that they fire."""
    lines = GOLDEN.read_text(encoding="utf-8").splitlines()
    return [(Asked(*told["asked"]), told["firing"]) for told in map(json.loads, lines[1:])]


def write_golden() -> None:
    """Ask promtool and remember what it says."""
    asked = list(generated(seed=1, number=300))
    version = subprocess.run([installed() or "promtool", "--version"], capture_output=True, text=True, check=True)
    head = json.dumps({"promtool": version.stdout.split(" (")[0], "step": STEP})
    told = [json.dumps({"asked": one, "firing": firing}) for one, firing in zip(asked, theirs(asked), strict=True)]
    GOLDEN.parent.mkdir(parents=True, exist_ok=True)
    GOLDEN.write_text("\n".join([head, *told]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write_golden()
