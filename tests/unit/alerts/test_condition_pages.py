"""The reference has a page for each kind of condition, with its fields and an example that is judged."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import pytest

from techtrack.alerts.domain.condition import conditions
from tests.unit.alerts.watching import play, watch_of

PAGES = Path(__file__).resolve().parents[3] / "docs" / "reference" / "conditions"
MINUTE, HOUR, DAY = 60, 3600, 86_400
# For the example of each page: readings of t after which it holds.
SERIES = {
    "above": [(0, 90.0), (1, 90.1)],
    "below": [(0, 2.5), (1, 2.4)],
    "outside": [(0, 10.0), (1, 9.9)],
    "inside": [(0, 1300.0), (1, 1400.0)],
    "rate_of_change": [(1, 20.0), (31, 22.4), (50, 23.0), (59, 25.0)],
    "flatline": [(minute * MINUTE, 20.0 + 0.005 * (minute % 2)) for minute in range(11)],
    "no_data": [(0, 1.0), (10, 1.0), 41],
    "deviation": [*((hour * HOUR, 20.0 + hour % 2) for hour in range(48)), (2 * DAY, 22.0), (2 * DAY + 1, 22.6)],
    "control_chart": [*((second, 5.0 + second % 2) for second in range(25)), (25, 6.0), (26, 8.5)],
    "forecast": [(0, 80.0), (200, 80.2), (400, 80.4), (600, 80.6), (610, 82.0), (800, 83.0), (1000, 84.0), 1801],
    "air_quality": [(0, 49.0), (12 * HOUR, 51.0), (DAY, 60.0), (2 * DAY, 0.0)],
    # An hour of 55.4 is on the limit, which the one behind it passes.
    "air_quality by a standard": [(hour * HOUR, {"pm2_5": 55.4 + (hour == 2)}) for hour in range(4)],
    "all_of": [(0, 81.0), (1, {"load": 0.4}), (2, {"load": 0.6})],
    "any_of": [(minute * MINUTE, 20.0) for minute in range(11)],
}


def page(kind):
    return (PAGES / f"{kind}.md").read_text()


def examples(kind):
    return [json.loads(one) for one in re.findall(r"```json\n(.*?)\n```", page(kind), re.DOTALL)]


def test_every_kind_has_a_page_and_every_page_a_kind():
    assert sorted(path.stem for path in PAGES.glob("*.md")) == sorted(conditions.names())


@pytest.mark.parametrize("kind", conditions.names())
class TestThePage:
    def test_begins_with_its_name(self, kind):
        assert page(kind).startswith(f"# Condition `{kind}`\n")

    def test_lists_the_fields(self, kind):
        listed = re.findall(r"^\| `(\w+)` \|", page(kind), re.MULTILINE)
        assert sorted(listed) == sorted(
            [field.name for field in dataclasses.fields(conditions.get(kind))] + ["severity"]
        )

    def test_has_examples_that_raise_with_the_last_reading_and_not_before(self, kind):
        names = [name for name in SERIES if name.split()[0] == kind]
        for name, example in zip(names, examples(kind), strict=True):
            watch, series = watch_of(example), SERIES[name]
            assert [(change, found) for change, _, found, _ in play(watch, *series)] == [("raised", kind)]
            assert play(watch, *series[:-1]) == []
            assert watch.clauses[0].severity == example["severity"]
