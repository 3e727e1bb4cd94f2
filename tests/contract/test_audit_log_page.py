"""The page on the audit log names every action, every kind of object and every filter."""

from __future__ import annotations

from pathlib import Path

from django.apps import apps

from techtrack.accounts.api.audit import PERIOD, AuditFilter
from techtrack.core.auditing import SecurityFact, name_of
from techtrack.core.models import Versioned

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "how-to" / "read-the-audit-log.md").read_text(encoding="utf-8")
# What people configure for themselves alone.
OWN = {"task", "category", "preference", "alert", "invitation", "equipment", "sensor", "saved-filter", "calendar-feed"}
OWN |= {"attachment", "block", "comment", "task-link", "time-entry"}


def test_every_action_is_named():
    assert [fact.action for fact in SecurityFact.__subclasses__() if f"`{fact.action}`" not in PAGE] == []


def test_every_kind_of_object_is_named():
    kinds = {name_of(model) for model in apps.get_models() if issubclass(model, Versioned)} - OWN
    assert [kind for kind in sorted(kinds) if f"`{kind}`" not in PAGE] == []


def test_every_filter_is_named():
    assert [name for name in [*AuditFilter.base_filters, *PERIOD] if f"`{name}`" not in PAGE] == []
