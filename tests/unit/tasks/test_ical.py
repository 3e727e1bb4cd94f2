"""The calendar, read back by a small parser that knows nothing of how it was written."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from techtrack.tasks.domain.ical import Entry, calendar
from techtrack.tasks.domain.reminders import Reminder

NOW = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
FILTER = Entry("task-12@plant.example", "Replace the filter", NOW, NOW, NOW, 3, "open", 2)


def written(*entries, name="Tasks"):
    return b"".join(calendar(entries, name=name))


def unfolded(data):
    """The content lines of RFC 5545, 3.1: what a line break and a space divide is one line."""
    assert data.endswith(b"\r\n")
    assert all(len(line) <= 75 for line in data.split(b"\r\n"))
    # Each physical line is UTF-8 by itself: no character was cut in two.
    assert all(line.decode() is not None for line in data.split(b"\r\n"))
    assert b"\n" not in data.replace(b"\r\n", b"")
    assert b"\r" not in data.replace(b"\r\n", b"")
    return data.decode().replace("\r\n ", "")[:-2].split("\r\n")


def plain(text):
    """A TEXT value (3.3.11) as it was meant."""
    assert re.fullmatch(r"(?:[^\\;,\x00-\x08\x0a-\x1f\x7f]|\\[\\;,nN])*", text), text
    return re.sub(r"\\(.)", lambda match: {"n": "\n", "N": "\n"}.get(match[1], match[1]), text)


def parsed(data):
    """Components as (name, properties, components); properties as {name: (parameters, value)}."""
    stack = [("", {}, [])]
    for line in unfolded(data):
        named, _, value = line.partition(":")
        name, *parameters = named.split(";")
        assert re.fullmatch(r"[A-Z-]+", name)
        if name == "BEGIN":
            stack.append((value, {}, []))
        elif name == "END":
            closed = stack.pop()
            assert closed[0] == value
            stack[-1][2].append(closed)
        else:
            assert name not in stack[-1][1], f"{name} is there twice"
            stack[-1][1][name] = (parameters, value)
    ((_, _, (found,)),) = stack
    return found


def event(entry):
    """The properties and alarms of one task."""
    _, _, ((name, properties, alarms),) = parsed(written(entry))
    assert name == "VEVENT"
    return {key: value for key, (_, value) in properties.items()}, alarms


TEXTS = st.text(st.characters(exclude_categories=["Cs"], max_codepoint=0x1F6FF), max_size=200)


class TestCalendar:
    def test_names_itself_and_says_when_to_come_again(self):
        name, properties, events = parsed(written(FILTER, name="Press; 7, hall"))
        assert (name, len(events)) == ("VCALENDAR", 1)
        assert properties["VERSION"] == ([], "2.0")
        assert plain(properties["X-WR-CALNAME"][1]) == plain(properties["NAME"][1]) == "Press; 7, hall"
        assert properties["REFRESH-INTERVAL"] == (["VALUE=DURATION"], "PT15M")
        # With a METHOD it would be an invitation (RFC 5546).
        assert "METHOD" not in properties

    def test_without_tasks_is_a_calendar(self):
        assert parsed(written())[2] == []

    def test_is_the_same_from_look_to_look(self):
        assert written(FILTER) == written(FILTER)

    def test_comes_in_pieces(self):
        assert [len(list(calendar([FILTER] * count, name=""))) for count in (0, 1, 3)] == [2, 3, 5]


class TestEvent:
    def test_says_what_is_due_when(self):
        properties, alarms = event(FILTER)
        assert properties == {
            "UID": "task-12@plant.example",
            "DTSTAMP": "20261123T060000Z",
            "CREATED": "20261123T060000Z",
            "LAST-MODIFIED": "20261123T060000Z",
            "SEQUENCE": "3",
            "DTSTART": "20261123T060000Z",
            "DTEND": "20261123T063000Z",
            "SUMMARY": "Replace the filter",
            "STATUS": "CONFIRMED",
            "PRIORITY": "5",
            "TRANSP": "TRANSPARENT",
        }
        assert alarms == []

    def test_says_more_where_there_is_more(self):
        more = {"description": "Stop;\r\nopen,\nclean \\ dry", "category": "Oil, filters", "place": "Press 7"}
        properties, _ = event(written_with(**more, url="https://plant.example/tasks/12/", lasts=timedelta(hours=2)))
        assert plain(properties["DESCRIPTION"]) == "Stop;\nopen,\nclean \\ dry"
        assert properties["CATEGORIES"] == "Oil\\, filters"
        assert properties["LOCATION"] == "Press 7"
        assert properties["URL"] == "https://plant.example/tasks/12/"
        assert properties["DTEND"] == "20261123T080000Z"

    @pytest.mark.parametrize(
        ("state", "status", "title"),
        [
            ("open", "CONFIRMED", "Replace the filter"),
            ("on_hold", "CONFIRMED", "Replace the filter"),
            ("done", "CONFIRMED", "✓ Replace the filter"),
            ("cancelled", "CANCELLED", "Replace the filter"),
        ],
    )
    def test_shows_the_state(self, state, status, title):
        properties, _ = event(written_with(state=state))
        assert (properties["STATUS"], properties["SUMMARY"]) == (status, title)

    @pytest.mark.parametrize(("priority", "expected"), [(1, "9"), (2, "5"), (3, "3"), (4, "1")])
    def test_has_the_priority_of_the_standard_where_1_is_the_highest(self, priority, expected):
        assert event(written_with(priority=priority))[0]["PRIORITY"] == expected

    def test_is_in_utc_wherever_it_was_read(self):
        tokyo = datetime(2026, 11, 23, 15, 0, 0, 999, tzinfo=timezone(timedelta(hours=9)))
        assert event(written_with(due=tokyo))[0]["DTSTART"] == "20261123T060000Z"

    def test_has_no_rule(self):
        assert b"RRULE" not in written(FILTER)

    @given(TEXTS, TEXTS, TEXTS)
    def test_any_text_comes_back_and_brings_no_line_of_its_own(self, title, description, place):
        properties, _ = event(written_with(title=title, description=description, place=place, url=f"http://x/{place}"))
        assert set(properties) - {"DESCRIPTION", "LOCATION", "URL"} == set(event(FILTER)[0])
        for name, text in {"SUMMARY": title, "DESCRIPTION": description, "LOCATION": place}.items():
            kept = re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", "", re.sub("[\u2028\u2029]", "\n", text))
            assert plain(properties.get(name, "")) == kept

    def test_a_lone_surrogate_takes_nothing_away(self):
        assert event(written_with(title="a\ud800b"))[0]["SUMMARY"] == "a?b"

    @pytest.mark.parametrize("character", ["x", "é", "€", "🔧"])
    def test_lines_are_as_long_as_they_may_be_and_no_longer(self, character):
        entry = written_with(title=character * 300)
        assert event(entry)[0]["SUMMARY"] == character * 300
        _, *folded, _ = written(entry).split(b"\r\n ")
        assert folded
        # The space makes one more; another character would not have had room.
        assert all(75 - len(character.encode()) < len(line) + 1 <= 75 for line in folded)


class TestAlarms:
    def test_ring_before_or_at_a_time(self):
        spans = (timedelta(days=1), timedelta(hours=1, seconds=30), timedelta(0))
        reminders = [Reminder(before=span) for span in spans] + [Reminder(at=NOW - timedelta(minutes=5))]
        _, alarms = event(written_with(reminders=tuple(reminders)))
        assert {name for name, _, _ in alarms} == {"VALARM"}
        assert [properties["TRIGGER"] for _, properties, _ in alarms] == [
            ([], "-P1D"),
            ([], "-PT1H"),
            ([], "-PT0S"),
            (["VALUE=DATE-TIME"], "20261123T055500Z"),
        ]
        assert {properties["ACTION"][1] for _, properties, _ in alarms} == {"DISPLAY"}
        assert {properties["DESCRIPTION"][1] for _, properties, _ in alarms} == {"Replace the filter"}

    @pytest.mark.parametrize("state", ["done", "cancelled"])
    def test_do_not_ring_for_what_is_finished(self, state):
        assert event(written_with(state=state, reminders=(Reminder(before=timedelta(hours=1)),)))[1] == []


def written_with(**changes):
    """The task with these fields."""
    fields = {name: getattr(FILTER, name) for name in FILTER.__slots__}
    return Entry(**fields | changes)
