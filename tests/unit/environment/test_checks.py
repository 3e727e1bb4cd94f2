"""Which tests a parameter goes through: by its unit, by what a sensor has instead, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from techtrack.airquality.quality import HOUR, Flag
from techtrack.assets.domain.units import sign
from techtrack.core.errors import Invalid
from techtrack.environment.domain.checks import USUAL, check_own, plan_of


def plan(code, unit, own=None, *, corrected=False):
    return plan_of(code, unit=unit, own=own, corrected=corrected)


class TestPlanOf:
    def test_knows_the_usual_range_of_dust(self):
        found = plan("pm2_5", "ug/m3")
        assert (found.checks.minimum, found.checks.maximum, found.checks.stuck) == (-10, 1000, 24 * HOUR)
        assert (found.channels, found.neighbours, found.humidity) == (True, True, None)

    @pytest.mark.parametrize(
        ("code", "unit", "maximum"),
        [
            pytest.param("co", "ug/m3", 100_000, id="a thousand times as many micrograms"),
            pytest.param("no2", "[ppb]", 1000 / 1.9125, id="a gas as a mixing ratio, at 20 degrees"),
            pytest.param("pm2_5", "µg/m³", 1000, id="as people write it"),
            pytest.param("pressure", "Pa", 110_000, id="pascal"),
        ],
    )
    def test_brings_limits_to_the_declared_unit(self, code, unit, maximum):
        assert plan(code, unit).checks.maximum == pytest.approx(maximum, rel=1e-3)

    @pytest.mark.parametrize("unit", ["", "1", "K"])
    def test_has_no_range_in_a_unit_that_it_does_not_know(self, unit):
        found = plan("temperature", unit)
        assert (found.checks.minimum, found.checks.maximum, found.checks.spike) == (None, None, None)
        assert found.checks.sentinel(-999.0)

    def test_leaves_other_parameters_alone(self):
        assert plan("spindle_speed", "rpm") is None
        assert plan("spindle_speed", "rpm", {"maximum": 9000}).checks.maximum == 9000

    def test_doubts_corrected_dust_in_fog(self):
        assert plan("pm2_5", "ug/m3", corrected=True).humidity == 95.0
        assert plan("pm2_5", "ug/m3", {"humidity": None}, corrected=True).humidity is None

    def test_takes_what_a_sensor_has_instead(self):
        own = {"maximum": 500, "stuck": "PT6H", "spike": None, "sentinels": [0], "keep": ["rate"], "channels": False}
        found = plan("pm2_5", "ug/m3", own)
        assert (found.checks.minimum, found.checks.maximum, found.checks.stuck) == (-10, 500, 6 * HOUR)
        assert (found.checks.spike, found.checks.sentinels) == (None, frozenset({0.0}))
        assert (found.keep, found.channels) == (frozenset({Flag.RATE}), False)

    def test_leaves_a_test_out_that_is_null(self):
        assert plan("pm2_5", "ug/m3", {"stuck": None}).checks.stuck is None


ROW = re.compile(r"^\| `(\w+)` \| (\S+) \| (\S+) \| (\S+) \| (\S+) \| (\S+) \|$", re.MULTILINE)
PAGE = Path(__file__).parents[3] / "docs" / "explanation" / "air-quality.md"


def test_the_page_has_the_usual_limits():
    shown = {code: (*map(number, numbers[:4]), numbers[4]) for code, *numbers in ROW.findall(PAGE.read_text())}
    usual = {
        code: (one.checks.minimum, one.checks.maximum, one.checks.spike, one.checks.resting, sign(unit))
        for code, (unit, one) in USUAL.items()
    }
    assert shown == usual


def number(text):
    return None if text == "\N{EN DASH}" else float(text)


class TestCheckOwn:
    @pytest.mark.parametrize(
        ("said", "pointer"),
        [
            pytest.param({"pm2_5": {"maximun": 1}}, "/checks/pm2_5/maximun", id="a slip of the finger"),
            pytest.param({"pm2_5": {"maximum": "high"}}, "/checks/pm2_5/maximum", id="no number"),
            pytest.param({"pm2_5": {"minimum": 5, "maximum": 5}}, "/checks/pm2_5/minimum", id="an empty range"),
            pytest.param({"pm2_5": {"stuck": "PT0S"}}, "/checks/pm2_5/stuck", id="stuck at once"),
            pytest.param({"pm2_5": {"stuck": "6h"}}, "/checks/pm2_5/stuck", id="no duration"),
            pytest.param({"pm2_5": {"spike": -1}}, "/checks/pm2_5/spike", id="a spike downwards"),
            pytest.param({"pm2_5": {"keep": ["odd"]}}, "/checks/pm2_5/keep", id="no such flag"),
            pytest.param({"pm2_5": {"keep": ["range", "neighbours"]}}, "/checks/pm2_5/keep/1", id="it is used anyway"),
            pytest.param({"pm2_5": {"sentinels": list(range(21))}}, "/checks/pm2_5/sentinels", id="too many"),
            pytest.param({"a/b": []}, "/checks/a~1b", id="no object"),
        ],
    )
    def test_names_what_cannot_be(self, said, pointer):
        with pytest.raises(Invalid) as caught:
            check_own(said)
        assert caught.value.faults[0].pointer.startswith(pointer)

    def test_passes_what_can(self):
        check_own({code: {"maximum": 10, "stuck": "PT6H", "keep": ["spike"]} for code in USUAL})
