"""What is stored about a person's work with alerts."""

from __future__ import annotations

from collections.abc import Iterator

from techtrack.accounts.events import PersonalDataAsked
from techtrack.alerts.models import Alert, AlertEvent, PreviewRun, RuleRevision, Silence
from techtrack.core.rows import Section, naming


def personal_data(asked: PersonalDataAsked) -> Iterator[Section]:
    """Answer with alerts that the person has in hand, and all that the person did to any."""
    yield naming(Alert, asked.user_id, "acknowledged_by", "assignee", "shelved_by", "out_of_service_by")
    yield naming(AlertEvent, asked.user_id, "actor")
    yield naming(Silence, asked.user_id, "by")
    yield naming(RuleRevision, asked.user_id, "by")
    yield naming(PreviewRun, asked.user_id, "by")
