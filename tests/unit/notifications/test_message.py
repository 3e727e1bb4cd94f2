"""What a message about an alert says."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from techtrack.notifications.domain.message import LONGEST_SUBJECT, Facts, compose

BERLIN = ZoneInfo("Europe/Berlin")
FACTS = Facts(
    event="raised",
    severity="high",
    title="Bearing vibration above 0.5",
    site="Plant",
    asset="Test rig",
    parameter="vibration",
    value=0.1 + 0.2,
    limit=0.25,
    unit="m/s2",
    since=datetime(2026, 11, 21, 11, 0, tzinfo=BERLIN),
    returned_at=None,
    link="https://plant.example/alerts/7/",
    origin=("replayed, measured 2004",),
    advice="Grease it.",
)


class TestCompose:
    def test_tells_what_where_how_much_and_since_when(self):
        assert compose(FACTS).body == (
            "Alert:     Bearing vibration above 0.5\n"
            "Event:     raised\n"
            "Severity:  high\n"
            "Site:      Plant\n"
            "Asset:     Test rig\n"
            "Parameter: vibration\n"
            "Value:     0.3 m/s2\n"
            "Limit:     0.25 m/s2\n"
            "Since:     2026-11-21 11:00:00 CET\n"
            "Data:      replayed, measured 2004\n"
            "To do:     Grease it.\n"
            "Open it:   https://plant.example/alerts/7/\n"
        )

    def test_puts_the_severity_and_the_place_into_the_subject(self):
        assert compose(FACTS).subject == "[HIGH] Bearing vibration above 0.5: Test rig (Plant)"

    def test_says_that_it_returned_and_when(self):
        message = compose(replace(FACTS, event="returned", returned_at=datetime(2026, 11, 21, 12, 30, tzinfo=BERLIN)))
        assert message.subject.startswith("[returned, was high] ")
        assert "Returned:  2026-11-21 12:30:00 CET\n" in message.body

    def test_leaves_out_what_is_not_known(self):
        unknown = replace(FACTS, value=None, limit=None, site="", parameter="", origin=(), advice="")
        body = compose(unknown).body
        assert not [label for label in ("Value", "Limit", "Site", "Parameter", "Data", "To do") if label in body]

    def test_keeps_a_value_of_zero(self):
        assert "Value:     0 m/s2\n" in compose(replace(FACTS, value=0.0)).body

    @given(text=st.text(), other=st.text(max_size=20))
    def test_never_lets_a_name_add_a_line(self, text, other):
        message = compose(replace(FACTS, title=text, asset=other, site=text, advice=text, origin=(other,)))
        assert len(message.subject) <= LONGEST_SUBJECT
        assert message.subject.isprintable()
        assert message.body.count("\n") <= 13
        assert all(line.isprintable() for line in message.body.split("\n"))

    def test_defuses_a_forged_header(self):
        message = compose(replace(FACTS, title="x\r\nBcc: everybody@example.org"))
        assert message.subject == "[HIGH] x Bcc: everybody@example.org: Test rig (Plant)"
