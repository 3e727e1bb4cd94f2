"""What a rule demands of its alerts: stages of escalation, and when they are refused."""

from __future__ import annotations

from datetime import timedelta

import pytest

from techtrack.alerts.domain.terms import Stage, parse_escalation, refuse_idle, severities_of, stages_above
from techtrack.core.errors import Invalid

TEN = {"after": "PT10M", "severity": "high"}
HOUR = {"after": "PT1H", "severity": "critical"}


class TestEscalation:
    def test_has_stages_that_come_later_and_graver(self):
        assert parse_escalation([TEN, HOUR]) == (
            Stage(timedelta(minutes=10), "high"),
            Stage(timedelta(hours=1), "critical"),
        )
        assert parse_escalation([]) == ()

    @pytest.mark.parametrize(
        ("raw", "pointer"),
        [
            pytest.param({}, "/escalation", id="no list"),
            pytest.param([TEN] * 6, "/escalation", id="too many"),
            pytest.param([5], "/escalation/0", id="no object"),
            pytest.param([{"after": "PT10M"}], "/escalation/0", id="without severity"),
            pytest.param([TEN | {"to": "x"}], "/escalation/0", id="a member that nobody reads"),
            pytest.param([TEN | {"after": 600}], "/escalation/0/after", id="a number for a duration"),
            pytest.param([TEN | {"after": "PT0S"}], "/escalation/0/after", id="at once"),
            pytest.param([TEN | {"after": "soon"}], "/escalation/0/after", id="no duration"),
            pytest.param([TEN | {"severity": []}], "/escalation/0/severity", id="a list for a word"),
            pytest.param([TEN, HOUR | {"after": "PT10M"}], "/escalation/1/after", id="no later"),
            pytest.param([TEN, HOUR | {"severity": "high"}], "/escalation/1/severity", id="no graver"),
        ],
    )
    def test_is_refused_with_the_place(self, raw, pointer):
        with pytest.raises(Invalid) as caught:
            parse_escalation(raw)
        assert [fault.pointer for fault in caught.value.faults] == [pointer]

    def test_passes_over_stages_that_are_no_graver_than_the_alert(self):
        stages = parse_escalation([TEN, HOUR])
        assert [len(stages_above(stages, severity)) for severity in ("low", "high", "critical")] == [2, 1, 0]

    @pytest.mark.parametrize(
        ("severities", "pointer"),
        [
            pytest.param({"low", "critical"}, None, id="of some it makes more"),
            pytest.param({"high", "critical"}, "/escalation/0/severity", id="the same"),
            pytest.param({"critical"}, "/escalation/0/severity", id="less"),
        ],
    )
    def test_makes_some_alert_of_its_rule_graver(self, severities, pointer):
        stages = parse_escalation([TEN, HOUR])
        if pointer is None:
            refuse_idle(stages, severities)
        else:
            with pytest.raises(Invalid) as caught:
                refuse_idle(stages, severities)
            assert [fault.pointer for fault in caught.value.faults] == [pointer]

    def test_knows_how_grave_the_alerts_of_a_rule_are(self):
        conditions = [{"kind": "above", "severity": "high"}, {"kind": "below"}]
        assert severities_of(conditions, None) == {"high", "medium"}
        assert severities_of(conditions, {"after": "3x", "severity": "info"}) == {"high", "medium", "info"}
        assert severities_of(conditions[:1], {"after": "3x", "policy": "keep"}) == {"high"}
