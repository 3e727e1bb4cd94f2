"""What a message about an alert says."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from techtrack.notifications.domain.letter import letter
from techtrack.notifications.domain.message import (
    LONGEST_SUBJECT,
    VARIABLES,
    Facts,
    Templates,
    compose,
    from_json,
    to_json,
    variables_of,
)

BERLIN = ZoneInfo("Europe/Berlin")
NOON_UTC = datetime(2026, 11, 21, 12, tzinfo=UTC)
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
        assert compose(FACTS).text == (
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
        assert "Returned:  2026-11-21 12:30:00 CET\n" in message.text

    def test_leaves_out_what_is_not_known(self):
        unknown = replace(FACTS, value=None, limit=None, site="", parameter="", origin=(), advice="")
        body = compose(unknown).text
        assert not [label for label in ("Value", "Limit", "Site", "Parameter", "Data", "To do") if label in body]

    def test_keeps_a_value_of_zero(self):
        assert "Value:     0 m/s2\n" in compose(replace(FACTS, value=0.0)).text

    @given(text=st.text(), other=st.text(max_size=20))
    def test_never_lets_a_name_add_a_line(self, text, other):
        message = compose(replace(FACTS, title=text, asset=other, site=text, advice=text, origin=(other,)))
        assert len(message.subject) <= LONGEST_SUBJECT
        assert message.subject.isprintable()
        assert message.text.count("\n") <= 13
        assert all(line.isprintable() for line in message.text.split("\n"))

    def test_defuses_a_forged_header(self):
        message = compose(replace(FACTS, title="x\r\nBcc: everybody@example.org"))
        assert message.subject == "[HIGH] x Bcc: everybody@example.org: Test rig (Plant)"


def facts(**changes):
    return replace(FACTS, **changes)


GROUP = [
    facts(severity="low", title="Slow", asset="Conveyor", alert=3),
    facts(severity="critical", title="Too hot", asset="Robot", alert=1),
    facts(event="returned", severity="critical", alert=2, returned_at=datetime(2026, 11, 21, 12, 0, tzinfo=BERLIN)),
]


class TestComposeOfSeveral:
    def test_begins_with_the_gravest_that_fires(self):
        message = compose(GROUP)
        assert [one.alert for one in message.facts] == [1, 3, 2]
        assert message.subject == "[CRITICAL] Too hot: Robot (Plant) and 2 more"
        assert (message.status, message.link) == ("firing", FACTS.link)

    def test_has_a_line_and_a_link_for_each(self):
        assert compose(GROUP).text == (
            "3 alerts, 1 of them returned to normal.\n"
            "\n"
            "[CRITICAL] Too hot: Robot (Plant): 0.3 m/s2, limit 0.25 m/s2, since 2026-11-21 11:00:00 CET\n"
            "  https://plant.example/alerts/7/\n"
            "[LOW] Slow: Conveyor (Plant): 0.3 m/s2, limit 0.25 m/s2, since 2026-11-21 11:00:00 CET\n"
            "  https://plant.example/alerts/7/\n"
            "[returned, was critical] Bearing vibration above 0.5: Test rig (Plant): 0.3 m/s2, limit 0.25 m/s2, "
            "since 2026-11-21 12:00:00 CET\n"
            "  https://plant.example/alerts/7/\n"
        )

    def test_counts_what_is_beyond_the_first_fifty(self):
        assert compose([FACTS] * 60).text.endswith("\nand 10 more: 10 high\n")

    def test_is_resolved_once_all_are(self):
        assert compose([GROUP[2]] * 2).status == "resolved"

    @pytest.mark.parametrize(
        ("event", "mark"),
        [
            ("repeated", "[HIGH, repeated]"),
            ("escalated", "[HIGH, escalated]"),
            ("severity_changed", "[HIGH, severity changed]"),
        ],
    )
    def test_says_why_it_is_told_again(self, event, mark):
        assert compose(facts(event=event)).subject.startswith(mark)


class TestTemplates:
    def test_replace_subject_and_text(self):
        own = Templates(
            subject="{{ severity }} {{ asset }} ({{ count }})", body="{{ value }} > {{ limit }}\n{{ alerts }}"
        )
        message = compose(GROUP, own)
        assert message.subject == "critical Robot (3)"
        assert message.text.startswith("0.3 m/s2 > 0.25 m/s2\n[CRITICAL] Too hot")
        assert "\n" not in message.short

    def test_cannot_break_a_subject(self):
        assert compose(facts(title="a\r\nBcc: b"), Templates(subject="{{ title }}\nX: y")).subject == "a Bcc: b X: y"

    def test_know_every_variable_that_they_may_name(self):
        assert set(variables_of([FACTS], {})) == set(VARIABLES)


class TestShort:
    def test_is_one_line_with_the_numbers(self):
        assert compose(FACTS).short == (
            "[HIGH] Bearing vibration above 0.5: Test rig (Plant): 0.3 m/s2, limit 0.25 m/s2 21 Nov 11:00"
        )

    def test_leaves_out_numbers_that_are_not_known(self):
        assert compose(facts(value=None, limit=None)).short == (
            "[HIGH] Bearing vibration above 0.5: Test rig (Plant) 21 Nov 11:00"
        )


class TestJson:
    @pytest.mark.parametrize("told", [FACTS, GROUP[2], facts(value=None, limit=None, origin=(), since=NOON_UTC)])
    def test_gives_back_the_facts(self, told):
        assert from_json(json.loads(json.dumps(to_json(told)))) == told

    def test_keeps_the_zone_of_the_words(self):
        assert compose(from_json(to_json(FACTS))).text == compose(FACTS).text

    def test_reads_what_an_older_version_wrote(self):
        old = {name: value for name, value in to_json(FACTS).items() if name not in {"rule", "alert", "zone"}}
        assert (from_json(old).alert, from_json(old).rule, from_json(old).title) == (0, "", FACTS.title)


class TestLetter:
    @given(text=st.text())
    def test_never_lets_a_name_become_markup(self, text):
        html = letter(compose(facts(title=f"<script>{text}", asset=text, advice=f'"><img src=x>{text}')))
        assert "<script" not in html
        assert "<img" not in html

    def test_shows_every_row_and_loads_nothing_from_elsewhere(self):
        html = letter(replace(compose(GROUP), acknowledge="https://plant.example/acknowledge/x/"), chart="cid:chart")
        assert "Too hot" in html
        assert "Grease it." in html
        assert 'src="cid:chart"' in html
        assert 'href="https://plant.example/acknowledge/x/"' in html
        assert 'src="http' not in html

    def test_offers_nothing_to_acknowledge_once_it_is_over(self):
        message = replace(compose(GROUP[2]), acknowledge="https://plant.example/acknowledge/x/")
        assert "acknowledge" not in letter(message).lower()
