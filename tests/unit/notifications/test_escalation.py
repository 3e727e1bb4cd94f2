"""Which rows of an escalation are accepted."""

from __future__ import annotations

from datetime import timedelta

import pytest

from techtrack.core.errors import Invalid
from techtrack.notifications.domain.escalation import after_of, check_escalation


def row(after, **told):
    return {"after": after, **(told or {"people": [1]})}


class TestRows:
    def test_come_later_and_later(self):
        rows = [row("PT5M"), row("PT5M30S", rotas=[1]), row("P1D", channels=[1])]
        check_escalation(rows)
        assert after_of(rows) == [timedelta(minutes=5), timedelta(seconds=330), timedelta(days=1)]

    @pytest.mark.parametrize(
        ("rows", "pointer"),
        [
            pytest.param([row("PT5M"), row("PT5M")], "/escalation/1/after", id="at the same time"),
            pytest.param([row("PT0S")], "/escalation/0/after", id="with the first message"),
            pytest.param([row("P31D")], "/escalation/0/after", id="after a month"),
            pytest.param([row("in a while")], "/escalation/0/after", id="at no time"),
            pytest.param([row("PT5M", people=[])], "/escalation/0", id="to nobody"),
            pytest.param([row(f"PT{n}M") for n in range(1, 12)], "/escalation", id="too many"),
        ],
    )
    def test_are_refused(self, rows, pointer):
        with pytest.raises(Invalid) as refused:
            check_escalation(rows)
        assert refused.value.faults[0].pointer == pointer
