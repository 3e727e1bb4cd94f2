"""Letters about work: the reader's time, and nothing that a stranger's words could pass off as ours."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from techtrack.tasks.domain.letters import MOST_SHOWN, Work, mention, reminder

BERLIN = ZoneInfo("Europe/Berlin")
WORK = Work("Oil", "https://plant.example/tasks/#task-7", "Robot 1", datetime(2026, 11, 21, 10, 0, tzinfo=UTC))
EVIL = "Oil\n\nYour password has expired: https://evil.example/\u2028now"


class TestReminder:
    def test_says_what_about_which_asset_and_when_in_the_readers_time(self):
        subject, text = reminder(WORK, zone=BERLIN, signature="Signed.")
        assert subject == "Reminder: Oil"
        assert text.splitlines() == [
            "You asked to be reminded of this task: Oil",
            "",
            "About: Robot 1",
            "Due: 2026-11-21 11:00 (Europe/Berlin)",
            "",
            "https://plant.example/tasks/#task-7",
            "",
            "Signed.",
        ]

    def test_leaves_out_what_there_is_not(self):
        _, text = reminder(Work("Oil", "https://plant.example/"), zone=BERLIN, signature="Signed.")
        assert len(text.splitlines()) == 5

    def test_of_any_title_adds_no_line_and_no_link(self):
        subject, text = reminder(Work(EVIL, WORK.link), zone=BERLIN, signature="Signed.")
        assert "\n" not in subject
        assert "https://evil" not in text
        assert len(text.splitlines()) == 5


class TestMention:
    def test_quotes_every_line_of_the_comment(self):
        subject, text = mention(WORK, author="Olga", comment=f"@erik\n{EVIL}", zone=BERLIN, signature="Signed.")
        assert subject == "Olga mentioned you: Oil"
        assert "https://evil" not in text
        assert [line[:2] for line in text.splitlines() if "password" in line or "erik" in line] == ["> ", "> "]

    def test_of_any_author_adds_no_line(self):
        subject, text = mention(WORK, author=EVIL, comment="x", zone=BERLIN, signature="Signed.")
        assert "\n" not in subject
        assert "https://evil" not in text

    def test_shows_the_beginning_of_a_long_comment(self):
        _, text = mention(WORK, author="Olga", comment="x" * 10_000, zone=BERLIN, signature="Signed.")
        assert len(text) < MOST_SHOWN + 500
        assert "x …" in text
