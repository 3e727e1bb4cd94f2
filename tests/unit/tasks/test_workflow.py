"""What a task's state and dates mean, and what a machine's task says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from techtrack.tasks.domain.workflow import Draft, draft_for_alert, is_overdue

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)


class TestIsOverdue:
    @pytest.mark.parametrize(
        ("state", "due", "expected"),
        [
            pytest.param("open", NOW - timedelta(seconds=1), True, id="late"),
            pytest.param("on_hold", NOW - timedelta(days=1), True, id="late, though on hold"),
            pytest.param("open", NOW, False, id="due this moment"),
            pytest.param("open", None, False, id="never due"),
            pytest.param("done", NOW - timedelta(days=1), False, id="done"),
            pytest.param("cancelled", NOW - timedelta(days=1), False, id="cancelled"),
        ],
    )
    def test_counts_unfinished_work_past_its_date(self, state, due, expected):
        assert is_overdue(state, due, NOW) is expected


class TestDraftForAlert:
    def draft(self, wish, severity="high"):
        return draft_for_alert(wish, title="Too hot", asset="Robot 1", severity=severity)

    def test_follows_the_wish(self):
        wish = {"title": " Cool it ", "description": "With water.", "priority": 1}
        assert self.draft(wish) == Draft("Cool it", "With water.", 1)

    def test_is_worded_by_the_alert_otherwise(self):
        assert self.draft({}) == Draft("Robot 1: Too hot", "", 3)

    @pytest.mark.parametrize(
        ("severity", "priority"), [("info", 1), ("low", 1), ("medium", 2), ("high", 3), ("critical", 4)]
    )
    def test_is_as_urgent_as_the_alert_is_severe(self, severity, priority):
        assert self.draft({}, severity).priority == priority

    @pytest.mark.parametrize(
        "wish",
        [
            pytest.param({"title": ["a"], "description": 7, "priority": "urgent"}, id="other types"),
            pytest.param({"title": "  ", "description": None, "priority": True}, id="empty, null, true"),
            pytest.param({"priority": 5}, id="a priority too high"),
            pytest.param({"priority": 2.0}, id="a priority with a point"),
            pytest.param({"unknown": {}}, id="an unknown field"),
        ],
    )
    def test_shrugs_at_wishes_it_cannot_read(self, wish):
        assert self.draft(wish) == Draft("Robot 1: Too hot", "", 3)

    def test_fits_the_table(self):
        draft = self.draft({"title": "x" * 400, "description": "y" * 30_000})
        assert (len(draft.title), len(draft.description)) == (300, 20_000)
